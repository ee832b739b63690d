#pragma once

#include <map>
#include <memory>

#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/metadata.pb.h"

namespace tidemark::metadata {

// The only code that changes metadata, on controllers and brokers alike, so
// that every replica of the log computes the same image (C-27).
//
// Copies the base's maps once and, of the topics, only those it changes. A
// record that contradicts the image is refused: the log or the feed is not
// what this code wrote. The builder is then of no further use; the base is
// untouched. A controller stops, a broker asks for a snapshot.
class ImageBuilder {
 public:
  // `base` null: from nothing.
  explicit ImageBuilder(ImagePtr base);

  // `offset`: of the batch this record is part of. A broker's epoch is the
  // offset of its registration (C-02); a registration that carries an epoch
  // (in a snapshot) is taken as it is.
  Status Apply(const v1::Record& record, MetadataOffset offset);

  // The result, as of `offset`; ends the builder. What changed is added to
  // `*delta` unless null.
  ImagePtr Build(MetadataOffset offset, Delta* delta);

 private:
  Status RegisterBroker(const v1::RegisterBroker& record,
                        MetadataOffset offset);
  Status UnregisterBroker(const v1::UnregisterBroker& record);
  Status ChangeBroker(const v1::ChangeBroker& record);
  Status AddTopic(const v1::AddTopic& record);
  Status RemoveTopic(const v1::RemoveTopic& record);
  Status AddPartition(const v1::AddPartition& record);
  Status ChangePartition(const v1::ChangePartition& record);
  Status SetConfig(const v1::SetConfig& record);
  Status AllocateProducerIds(const v1::AllocateProducerIds& record);

  // The builder's own copy of a topic; nullptr when there is none.
  TopicImage* MutableTopic(const Uuid& id);

  ImagePtr base_;
  std::shared_ptr<Image> next_;
  // Topics copied or created here; shared with next_'s maps.
  std::map<Uuid, std::shared_ptr<TopicImage>> own_topics_;
  Delta delta_;
};

// One raft entry: all its records or none.
Result<ImagePtr> ApplyBatch(ImagePtr base, const v1::RecordBatch& batch,
                            MetadataOffset offset, Delta* delta);

}  // namespace tidemark::metadata
