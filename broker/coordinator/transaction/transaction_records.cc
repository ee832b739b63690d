#include "broker/coordinator/transaction/transaction_records.h"

#include <string>
#include <utility>

#include "common/kafka/codec.h"
#include "common/kafka/messages/transaction_records.h"

namespace tidemark::coordinator {
namespace {

constexpr int16_t kKeyVersion = 0;
// With tagged fields: what Kafka writes from transaction.version 1 on.
constexpr int16_t kValueVersion = 1;

using Value = kafka::TransactionLogValue;

Value ToKafka(const StoredTransaction& from) {
  Value out{.producer_id = from.producer_id,
            .previous_producer_id = from.previous_producer_id,
            .next_producer_id = from.next_producer_id,
            .producer_epoch = from.epoch,
            .transaction_timeout_ms = from.timeout_ms,
            .transaction_status = static_cast<int8_t>(from.state),
            .transaction_last_update_timestamp_ms = from.last_update_ms,
            .transaction_start_timestamp_ms = from.start_ms,
            .client_transaction_version = from.client_version};
  if (from.state == TransactionState::kEmpty) return out;
  auto& topics = out.transaction_partitions.emplace();
  for (const TopicPartition& partition : from.partitions) {
    if (topics.empty() || topics.back().topic != partition.topic) {
      topics.push_back({.topic = partition.topic});
    }
    topics.back().partition_ids.push_back(partition.partition);
  }
  return out;
}

Result<StoredTransaction> FromKafka(const Value& from) {
  const auto state = StateOf(from.transaction_status);
  if (!state) {
    return Fail(ErrorCode::kCorruptMessage,
                "a transaction in state " +
                    std::to_string(static_cast<int>(from.transaction_status)));
  }
  StoredTransaction out{
      .producer_id = from.producer_id,
      .previous_producer_id = from.previous_producer_id,
      .next_producer_id = from.next_producer_id,
      .epoch = from.producer_epoch,
      .timeout_ms = from.transaction_timeout_ms,
      .state = *state,
      .start_ms = from.transaction_start_timestamp_ms,
      .last_update_ms = from.transaction_last_update_timestamp_ms,
      .client_version = from.client_transaction_version};
  if (from.transaction_partitions) {
    for (const auto& topic : *from.transaction_partitions) {
      for (const int32_t partition : topic.partition_ids) {
        out.partitions.insert({topic.topic, partition});
      }
    }
  }
  return out;
}

template <class T>
Result<T> Parse(std::string_view bytes) {
  auto message = kafka::DecodeVersioned<T>(SharedBytes(std::string(bytes)));
  if (!message) {
    return Fail(
        ErrorCode::kCorruptMessage,
        "not a record of __transaction_state: " + message.error().message);
  }
  return message;
}

}  // namespace

Result<LogRecord> EncodeTransactionRecord(const TransactionRecord& record) {
  LogRecord out;
  TM_ASSIGN_OR_RETURN(
      out.key,
      kafka::EncodeVersioned(kafka::TransactionLogKey{record.transactional_id},
                             kKeyVersion));
  if (!record.value) return out;
  TM_ASSIGN_OR_RETURN(
      out.value, kafka::EncodeVersioned(ToKafka(*record.value), kValueVersion));
  return out;
}

Result<std::optional<TransactionRecord>> DecodeTransactionRecord(
    std::string_view key, std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(const int16_t version, kafka::PeekVersion(key));
  if (version != kKeyVersion) return std::nullopt;
  TM_ASSIGN_OR_RETURN(auto parsed, Parse<kafka::TransactionLogKey>(key));
  TransactionRecord out{std::move(parsed.transactional_id), std::nullopt};
  if (value) {
    TM_ASSIGN_OR_RETURN(const auto stored, Parse<Value>(*value));
    TM_ASSIGN_OR_RETURN(out.value, FromKafka(stored));
  }
  return out;
}

size_t EncodedBytes(const std::string& transactional_id,
                    const StoredTransaction& value) {
  constexpr size_t kOfARecord = 64;
  size_t bytes = kOfARecord + transactional_id.size();
  const std::string* topic = nullptr;
  for (const TopicPartition& partition : value.partitions) {
    if (topic == nullptr || *topic != partition.topic) {
      topic = &partition.topic;
      bytes += topic->size() + 4;
    }
    bytes += sizeof(int32_t);
  }
  return bytes;
}

}  // namespace tidemark::coordinator
