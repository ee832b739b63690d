#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/record/batch_header.h"
#include "common/record/batch_reader.h"

namespace tidemark::record {

struct BatchOptions {
  Codec codec = Codec::kNone;
  Offset base_offset = 0;
  LeaderEpoch leader_epoch = -1;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
};

// Makes one record batch. Records get consecutive offsets in the order added.
class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options = {}) : options_(options) {}

  // `timestamp_ms`: since the epoch.
  BatchBuilder& Add(int64_t timestamp_ms, std::optional<std::string_view> key,
                    std::optional<std::string_view> value,
                    std::span<const RecordHeader> headers = {});

  int32_t count() const { return count_; }
  // Of the batch when built without compression.
  size_t size() const { return kBatchHeaderSize + records_.size(); }

  // The bytes, checksum included. A builder without records gives an empty
  // batch with one offset, as compaction leaves them; no broker accepts it
  // from a producer.
  std::string Build() const;

 private:
  BatchOptions options_;
  std::string records_;
  int32_t count_ = 0;
  int64_t base_timestamp_ = kNoTimestamp;
  int64_t max_timestamp_ = kNoTimestamp;
};

}  // namespace tidemark::record
