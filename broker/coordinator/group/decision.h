#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/coordinator/group/group_config.h"
#include "broker/coordinator/group/requests.h"
#include "common/base/clock.h"

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

struct Answer {
  Ticket ticket = 0;
  Response response;
};

// The records hold the assignments of this generation; its members get them
// when they are committed (GroupTable::OnStored).
struct AssignmentWrite {
  std::string group_id;
  int32_t generation = 0;
};

// What a decision asks its driver to do: append `records` as one write, and
// send `answers` when they are committed (at once when there are none). If
// the write fails every answer carries the error instead.
struct Decision {
  std::vector<GroupRecord> records;
  std::vector<Answer> answers;
  std::optional<AssignmentWrite> assignment;

  void Reply(Ticket ticket, Response response) {
    answers.push_back({ticket, std::move(response)});
  }
};

// When something is decided.
struct Moment {
  Instant now;          // timers
  int64_t wall_ms = 0;  // timestamps in records
};

// One decision being made.
struct Step {
  const GroupConfig& config;
  Moment at;
  Decision out;
};

}  // namespace tidemark::coordinator
