#pragma once

#include <optional>
#include <string_view>

#include "broker/coordinator/group/decision.h"
#include "broker/coordinator/machine/machine.h"

// Groups in Kafka's format of __consumer_offsets (kafka group-coordinator,
// OffsetCommitKey/Value, GroupMetadataKey/Value), so that Kafka's tools read
// the topic. Pure.
namespace tidemark::coordinator {

// kUnknownServerError: it does not fit into the format.
Result<LogRecord> EncodeGroupRecord(const GroupRecord& record);

// nullopt: a kind of record that tidemark does not have (KIP-848 groups).
// kCorruptMessage: not such a record.
Result<std::optional<GroupRecord>> DecodeGroupRecord(
    std::string_view key, std::optional<std::string_view> value);

// About what they take in a log.
size_t EncodedBytes(const std::string& group_id, const StoredGroup& group);
size_t EncodedBytes(const std::string& group_id,
                    const TopicPartition& partition,
                    const CommittedOffset& value);

}  // namespace tidemark::coordinator
