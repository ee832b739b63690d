#include "common/record/batch_builder.h"

#include <algorithm>

#include "common/record/compression.h"
#include "common/record/varint.h"

namespace tidemark::record {
namespace {

void AppendNullable(std::optional<std::string_view> bytes, std::string* out) {
  if (!bytes) {
    AppendVarint(-1, out);
    return;
  }
  AppendVarint(static_cast<int64_t>(bytes->size()), out);
  out->append(*bytes);
}

int16_t AttributesOf(const BatchOptions& options) {
  int attributes = static_cast<int>(options.codec);
  if (options.transactional) attributes |= kTransactionalBit;
  if (options.control) attributes |= kControlBit;
  return static_cast<int16_t>(attributes);
}

}  // namespace

BatchBuilder& BatchBuilder::Add(int64_t timestamp_ms,
                                std::optional<std::string_view> key,
                                std::optional<std::string_view> value,
                                std::span<const RecordHeader> headers) {
  if (count_ == 0) base_timestamp_ = timestamp_ms;
  max_timestamp_ = std::max(max_timestamp_, timestamp_ms);
  std::string body(1, '\0');  // attributes
  AppendVarint(timestamp_ms - base_timestamp_, &body);
  AppendVarint(count_, &body);
  AppendNullable(key, &body);
  AppendNullable(value, &body);
  AppendVarint(static_cast<int64_t>(headers.size()), &body);
  for (const RecordHeader& header : headers) {
    AppendNullable(header.key, &body);
    AppendNullable(header.value, &body);
  }
  AppendVarint(static_cast<int64_t>(body.size()), &records_);
  records_ += body;
  ++count_;
  return *this;
}

std::string BatchBuilder::Build() const {
  std::string batch(kBatchHeaderSize, '\0');
  if (options_.codec == Codec::kNone) {
    batch += records_;
  } else {
    batch += Compress(options_.codec, records_);
  }
  BatchHeader header;
  header.base_offset = options_.base_offset;
  header.batch_length = static_cast<int32_t>(batch.size() - kLogOverhead);
  header.leader_epoch = options_.leader_epoch;
  header.attributes = AttributesOf(options_);
  header.last_offset_delta = std::max(0, count_ - 1);
  header.base_timestamp = base_timestamp_;
  header.max_timestamp = max_timestamp_;
  header.producer_id = options_.producer_id;
  header.producer_epoch = options_.producer_epoch;
  header.base_sequence = options_.base_sequence;
  header.record_count = count_;
  WriteBatchHeader(header, batch.data());
  header.crc = ComputeCrc(batch);
  WriteBatchHeader(header, batch.data());
  return batch;
}

}  // namespace tidemark::record
