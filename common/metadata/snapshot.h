#pragma once

#include <functional>
#include <string_view>

#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/metadata.pb.h"

namespace tidemark::metadata {

// The records that build `image` from nothing, with the epochs it has.
// Equal images give equal records.
v1::RecordBatch ToRecords(const Image& image);

// The same, serialized, as a RecordBatch cut into pieces of some hundred KiB:
// an image takes no second time its room. Any thread, while others go on with
// later images.
void WriteSnapshot(const Image& image,
                   const std::function<void(std::string_view)>& part);

// The image after `offset` from what ToRecords made of it.
Result<ImagePtr> FromRecords(const v1::RecordBatch& records,
                             MetadataOffset offset);

// What a reader of `from` must do to be at `to`. Compares everything, so what
// is absent from `to` becomes a deletion (C-23, KAFKA-14894). Sets
// from_snapshot.
Delta Difference(const Image& from, const Image& to);

// Same contents, offset included.
bool Equal(const Image& a, const Image& b);

}  // namespace tidemark::metadata
