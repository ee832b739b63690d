#include "broker/log/append_validation.h"

#include <string>

#include "common/record/batch_reader.h"

namespace tidemark::log {
namespace {

Status CheckKeys(std::string_view batch) {
  return record::ForEachRecord(batch, [](const record::Record& rec) -> Status {
    if (rec.key) return {};
    return Fail(ErrorCode::kInvalidRecord,
                "a record of a compacted topic needs a key");
  });
}

Status CheckClientRules(const record::BatchHeader& header) {
  if (header.IsControl()) {
    return Fail(ErrorCode::kInvalidRecord,
                "clients may not write control batches");
  }
  if (header.HasProducerId() &&
      (header.base_sequence < 0 || header.producer_epoch < 0)) {
    return Fail(ErrorCode::kInvalidRecord,
                "base sequence " + std::to_string(header.base_sequence) +
                    " and epoch " + std::to_string(header.producer_epoch) +
                    " with producer id " + std::to_string(header.producer_id));
  }
  return {};
}

// However small the batches of a topic are: a transaction must end.
bool IsOwnMarker(std::string_view batch, BatchOrigin origin) {
  if (origin != BatchOrigin::kCoordinator) return false;
  const auto header = record::ParseBatchHeader(batch);
  return header && header->IsControl();
}

}  // namespace

Result<record::BatchHeader> ValidateAppend(std::string_view batch,
                                           const LogConfig& config,
                                           BatchOrigin origin) {
  if (batch.size() > static_cast<size_t>(config.max_message_bytes) &&
      !IsOwnMarker(batch, origin)) {
    return Fail(ErrorCode::kMessageTooLarge,
                "a batch of " + std::to_string(batch.size()) +
                    " bytes is larger than max.message.bytes = " +
                    std::to_string(config.max_message_bytes));
  }
  if (batch.size() > record::kMagicAt &&
      batch[record::kMagicAt] != record::kMagic) {
    return Fail(ErrorCode::kInvalidRecord,
                "only record batches of magic 2 are accepted");
  }
  TM_ASSIGN_OR_RETURN(const record::BatchHeader header,
                      record::ParseAndVerifyBatch(batch));
  if (batch.size() != header.FullSize()) {
    return Fail(ErrorCode::kInvalidRecord,
                "exactly one record batch per partition, please");
  }
  if (header.record_count == 0 ||
      header.last_offset_delta != header.record_count - 1) {
    return Fail(ErrorCode::kInvalidRecord,
                std::to_string(header.record_count) +
                    " records, but last offset delta " +
                    std::to_string(header.last_offset_delta));
  }
  if (!record::IsKnownCodec(header.codec())) {
    return Fail(ErrorCode::kUnsupportedCompressionType);
  }
  if (header.IsTransactional() &&
      (!header.HasProducerId() || header.producer_epoch < 0)) {
    return Fail(ErrorCode::kInvalidRecord,
                "a batch in a transaction needs a producer id and epoch");
  }
  if (origin == BatchOrigin::kClient) {
    TM_RETURN_IF_ERROR(CheckClientRules(header));
  }
  if (header.IsLogAppendTime() && !config.log_append_time) {
    return Fail(ErrorCode::kInvalidTimestamp,
                "producers may not mark batches as LogAppendTime");
  }
  if (config.compacted && !header.IsControl()) {
    TM_RETURN_IF_ERROR(CheckKeys(batch));
  }
  return header;
}

}  // namespace tidemark::log
