#pragma once

#include <optional>
#include <string_view>

#include "broker/coordinator/group/decision.h"
#include "broker/coordinator/runtime/state_machine.h"

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

}  // namespace tidemark::coordinator
