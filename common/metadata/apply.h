#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/metadata.pb.h"

namespace tidemark::metadata {

// The only code that changes metadata, on controllers and brokers alike, so
// that every replica of the log computes the same image (C-27): it says which
// aspect a kind of record belongs to.
//
// A record costs O(log n) of what there is, and of many for one builder each
// part of the image is copied once. A record that contradicts the image is
// refused: the log or the feed is not what this code wrote, or, with
// kUnsupportedVersion, a newer release has written it. The builder is then of
// no further use; the base is untouched. A controller stops, a broker asks for
// a snapshot.
class ImageBuilder {
 public:
  // `base` null: from nothing.
  explicit ImageBuilder(ImagePtr base);

  // `offset`: of the batch this record is part of.
  Status Apply(const v1::Record& record, MetadataOffset offset);
  // All of a batch's; the error names the offset.
  Status Apply(const v1::RecordBatch& batch, MetadataOffset offset);

  // The result, as of `offset`; ends the builder. What changed is added to
  // `*delta` unless null.
  ImagePtr Build(MetadataOffset offset, Delta* delta);

 private:
  const ImagePtr base_;
  std::shared_ptr<Image> next_;
  Delta delta_;
};

// One raft entry: all its records or none.
Result<ImagePtr> ApplyBatch(ImagePtr base, const v1::RecordBatch& batch,
                            MetadataOffset offset, Delta* delta);

}  // namespace tidemark::metadata
