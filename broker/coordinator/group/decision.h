#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/coordinator/group/group_config.h"
#include "broker/coordinator/group/requests.h"
#include "broker/coordinator/machine/machine.h"

namespace tidemark::coordinator {

// A member as the log keeps it (Kafka's GroupMetadataValue.MemberMetadata).
struct StoredMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  std::string subscription;
  std::string assignment;
  bool operator==(const StoredMember&) const = default;
};

// A generation of a group as the log keeps it (Kafka's GroupMetadataValue).
struct StoredGroup {
  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  int64_t state_timestamp_ms = -1;
  std::vector<StoredMember> members;
  bool operator==(const StoredGroup&) const = default;
};

// The two facts a group's log is made of; without a value: a tombstone.
struct GroupMetadataRecord {
  std::string group_id;
  std::optional<StoredGroup> value;
  bool operator==(const GroupMetadataRecord&) const = default;
};
struct OffsetRecord {
  std::string group_id;
  TopicPartition partition;
  std::optional<CommittedOffset> value;
  bool operator==(const OffsetRecord&) const = default;
};
using GroupRecord = std::variant<GroupMetadataRecord, OffsetRecord>;

// The records hold the assignments of this generation; its members get them
// when they are committed.
struct AssignmentWrite {
  std::string group_id;
  int32_t generation = 0;
};

using Answer = AnswerOf<Response>;
using Decision = DecisionOf<GroupRecord, Response, AssignmentWrite>;

// One decision being made.
struct Step {
  const GroupConfig& config;
  Moment at;
  Decision out;
};

}  // namespace tidemark::coordinator
