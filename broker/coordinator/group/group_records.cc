#include "broker/coordinator/group/group_records.h"

#include "common/kafka/codec.h"
#include "common/kafka/messages/group_records.h"

namespace tidemark::coordinator {
namespace {

// What Kafka 3.x and 4.x write for classic groups.
constexpr int16_t kOffsetKeyVersion = 1;
constexpr int16_t kGroupKeyVersion = 2;
constexpr int16_t kValueVersion = 3;

Result<LogRecord> Encode(const GroupMetadataRecord& record) {
  LogRecord out;
  TM_ASSIGN_OR_RETURN(
      out.key, kafka::EncodeVersioned(kafka::GroupMetadataKey{record.group_id},
                                      kGroupKeyVersion));
  if (!record.value) return out;
  const StoredGroup& group = *record.value;
  kafka::GroupMetadataValue value{
      .protocol_type = group.protocol_type,
      .generation = group.generation,
      .protocol = group.protocol,
      .leader = group.leader,
      .current_state_timestamp = group.state_timestamp_ms};
  for (const StoredMember& m : group.members) {
    value.members.push_back({.member_id = m.id,
                             .group_instance_id = m.instance_id,
                             .client_id = m.client_id,
                             .client_host = m.client_host,
                             .rebalance_timeout = m.rebalance_timeout_ms,
                             .session_timeout = m.session_timeout_ms,
                             .subscription = SharedBytes(m.subscription),
                             .assignment = SharedBytes(m.assignment)});
  }
  TM_ASSIGN_OR_RETURN(out.value, kafka::EncodeVersioned(value, kValueVersion));
  return out;
}

Result<LogRecord> Encode(const OffsetRecord& record) {
  LogRecord out;
  TM_ASSIGN_OR_RETURN(out.key, kafka::EncodeVersioned(
                                   kafka::OffsetCommitKey{
                                       record.group_id, record.partition.topic,
                                       record.partition.partition},
                                   kOffsetKeyVersion));
  if (!record.value) return out;
  TM_ASSIGN_OR_RETURN(
      out.value, kafka::EncodeVersioned(
                     kafka::OffsetCommitValue{
                         .offset = record.value->offset,
                         .leader_epoch = record.value->leader_epoch,
                         .metadata = record.value->metadata,
                         .commit_timestamp = record.value->commit_timestamp_ms},
                     kValueVersion));
  if (record.value->written_at >= 0) out.written_at = record.value->written_at;
  return out;
}

template <class T>
Result<T> Parse(std::string_view bytes) {
  auto message = kafka::DecodeVersioned<T>(SharedBytes(std::string(bytes)));
  if (!message)
    return Fail(
        ErrorCode::kCorruptMessage,
        "not a record of __consumer_offsets: " + message.error().message);
  return message;
}

Result<GroupRecord> DecodeOffset(std::string_view key,
                                 std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(auto k, Parse<kafka::OffsetCommitKey>(key));
  OffsetRecord out{k.group, {k.topic, k.partition}, std::nullopt};
  if (value) {
    TM_ASSIGN_OR_RETURN(auto v, Parse<kafka::OffsetCommitValue>(*value));
    out.value = CommittedOffset{v.offset, v.leader_epoch, v.metadata,
                                v.commit_timestamp};
  }
  return out;
}

Result<GroupRecord> DecodeGroup(std::string_view key,
                                std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(auto k, Parse<kafka::GroupMetadataKey>(key));
  GroupMetadataRecord out{k.group, std::nullopt};
  if (!value) return out;
  TM_ASSIGN_OR_RETURN(auto v, Parse<kafka::GroupMetadataValue>(*value));
  out.value = StoredGroup{.protocol_type = v.protocol_type,
                          .generation = v.generation,
                          .protocol = v.protocol,
                          .leader = v.leader,
                          .state_timestamp_ms = v.current_state_timestamp};
  for (const auto& m : v.members) {
    // Before version 1 there was one timeout for both.
    const int32_t rebalance_timeout_ms =
        m.rebalance_timeout < 0 ? m.session_timeout : m.rebalance_timeout;
    out.value->members.push_back(
        {.id = m.member_id,
         .instance_id = m.group_instance_id,
         .client_id = m.client_id,
         .client_host = m.client_host,
         .rebalance_timeout_ms = rebalance_timeout_ms,
         .session_timeout_ms = m.session_timeout,
         .subscription = std::string(m.subscription.view()),
         .assignment = std::string(m.assignment.view())});
  }
  return out;
}

// Lengths of attributes, timestamp, offset, key, value and headers.
constexpr size_t kFraming = 8;
constexpr size_t kLength = 2;  // of a string

size_t Bytes(const std::string& text) { return kLength + text.size(); }
size_t Bytes(const std::optional<std::string>& text) {
  return text ? Bytes(*text) : kLength;
}

}  // namespace

size_t EncodedBytes(const std::string& group_id, const StoredGroup& group) {
  size_t bytes = kFraming + 2 + Bytes(group_id) + 2 +
                 Bytes(group.protocol_type) + Bytes(group.protocol) +
                 Bytes(group.leader) + 4 + 8 + 4;
  for (const StoredMember& m : group.members) {
    bytes += Bytes(m.id) + Bytes(m.instance_id) + Bytes(m.client_id) +
             Bytes(m.client_host) + 8 + 8 + m.subscription.size() +
             m.assignment.size();
  }
  return bytes;
}

size_t EncodedBytes(const std::string& group_id,
                    const TopicPartition& partition,
                    const CommittedOffset& value) {
  return kFraming + 2 + Bytes(group_id) + Bytes(partition.topic) + 4 + 2 + 8 +
         4 + Bytes(value.metadata) + 8;
}

Result<LogRecord> EncodeGroupRecord(const GroupRecord& record) {
  return std::visit([](const auto& r) { return Encode(r); }, record);
}

Result<std::optional<GroupRecord>> DecodeGroupRecord(
    std::string_view key, std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(const int16_t version, kafka::PeekVersion(key));
  if (version == 0 || version == kOffsetKeyVersion) {
    TM_ASSIGN_OR_RETURN(auto record, DecodeOffset(key, value));
    return std::optional<GroupRecord>(std::move(record));
  }
  if (version == kGroupKeyVersion) {
    TM_ASSIGN_OR_RETURN(auto record, DecodeGroup(key, value));
    return std::optional<GroupRecord>(std::move(record));
  }
  return std::optional<GroupRecord>();
}

}  // namespace tidemark::coordinator
