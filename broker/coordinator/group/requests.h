#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/error_code.h"
#include "common/base/ids.h"

// What groups are asked and what they answer, free of protocol versions: the
// handlers translate. Plain values; any thread.
namespace tidemark::coordinator {

struct Protocol {
  std::string name;
  std::string metadata;
  bool operator==(const Protocol&) const = default;
};

struct JoinResult;
struct JoinRequest {
  using Answer = JoinResult;
  std::string group_id;
  std::string member_id;                   // "": a member that has none yet
  std::optional<std::string> instance_id;  // KIP-345 static membership
  std::string client_id;
  std::string client_host;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;
  std::string protocol_type;
  std::vector<Protocol> protocols;   // in order of preference
  bool member_id_required = false;   // KIP-394, JoinGroup v4+
  bool can_skip_assignment = false;  // KIP-814, JoinGroup v9+
  // Given to the member if it gets a new identity: randomness is an argument.
  std::string new_member_id;
};
struct JoinResult {
  ErrorCode error = ErrorCode::kNone;
  int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string metadata;
  };
  std::vector<Member> members;  // for the leader only
  void Fail(ErrorCode code);
};

struct SyncResult;
struct SyncRequest {
  using Answer = SyncResult;
  std::string group_id;
  int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  struct Assignment {
    std::string member_id;
    std::string assignment;
  };
  std::vector<Assignment> assignments;  // from the leader only
};
struct SyncResult {
  ErrorCode error = ErrorCode::kNone;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string assignment;
  void Fail(ErrorCode code) { *this = SyncResult{.error = code}; }
};

struct HeartbeatResult;
struct HeartbeatRequest {
  using Answer = HeartbeatResult;
  std::string group_id;
  int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
};
struct HeartbeatResult {
  ErrorCode error = ErrorCode::kNone;
  void Fail(ErrorCode code) { error = code; }
};

struct LeaveResult;
struct LeaveRequest {
  using Answer = LeaveResult;
  std::string group_id;
  struct Member {
    std::string member_id;  // "": found by instance id
    std::optional<std::string> instance_id;
  };
  std::vector<Member> members;
};
struct LeaveResult {
  ErrorCode error = ErrorCode::kNone;
  std::vector<ErrorCode> members;  // as requested; empty when `error` is set
  void Fail(ErrorCode code) { *this = LeaveResult{.error = code}; }
};

// What a consumer stored for a partition.
struct CommittedOffset {
  Offset offset = -1;
  LeaderEpoch leader_epoch = -1;
  std::string metadata;
  int64_t commit_timestamp_ms = -1;
  // Where the record of it lies in the group's log, or lay; -1: not there yet.
  Offset written_at = -1;
  bool operator==(const CommittedOffset&) const = default;
};

struct CommitResult;
struct CommitRequest {
  using Answer = CommitResult;
  std::string group_id;
  int32_t generation = -1;  // -1: not a member (simple consumer, admin)
  std::string member_id;
  std::optional<std::string> instance_id;
  struct Partition {
    TopicPartition partition;
    CommittedOffset value;  // its commit_timestamp_ms is not read
  };
  std::vector<Partition> partitions;
};
// As a part of a producer's transaction: nobody sees it before that is
// committed. The checks are those of KIP-447.
struct TxnCommitRequest : CommitRequest {
  ProducerId producer_id = -1;
  ProducerEpoch producer_epoch = -1;
  // ReplicaManager::BeginVerification, for the partition of the group.
  uint64_t verified = 0;
};
struct CommitResult {
  ErrorCode error = ErrorCode::kNone;  // of all partitions
  std::vector<ErrorCode> partitions;   // as requested; empty with `error`
  void Fail(ErrorCode code) { *this = CommitResult{.error = code}; }
};

struct FetchResult;
struct FetchRequest {
  using Answer = FetchResult;
  std::string group_id;
  std::optional<std::vector<TopicPartition>> partitions;  // nullopt: all
  bool require_stable = false;                            // KIP-447
};
struct FetchResult {
  ErrorCode error = ErrorCode::kNone;
  struct Partition {
    TopicPartition partition;
    CommittedOffset value;  // offset -1: none stored
    // kUnstableOffsetCommit, without a value: a transaction that has not ended
    // may change it.
    ErrorCode error = ErrorCode::kNone;
  };
  std::vector<Partition> partitions;  // as requested, or ordered when all
  void Fail(ErrorCode code) { *this = FetchResult{.error = code}; }
};

struct DeleteResult;
struct DeleteRequest {
  using Answer = DeleteResult;
  std::string group_id;
};
struct DeleteResult {
  ErrorCode error = ErrorCode::kNone;
  void Fail(ErrorCode code) { error = code; }
};

struct DeleteOffsetsResult;
struct DeleteOffsetsRequest {
  using Answer = DeleteOffsetsResult;
  std::string group_id;
  std::vector<TopicPartition> partitions;
};
struct DeleteOffsetsResult {
  ErrorCode error = ErrorCode::kNone;
  // As requested; empty with `error`. kGroupSubscribedToTopic: members want it.
  std::vector<ErrorCode> partitions;
  void Fail(ErrorCode code) { *this = DeleteOffsetsResult{.error = code}; }
};

struct GroupDescription;
struct DescribeRequest {
  using Answer = GroupDescription;
  std::string group_id;
};
struct GroupDescription {
  ErrorCode error = ErrorCode::kNone;  // kGroupIdNotFound: no such group
  std::string state = "Dead";
  std::string protocol_type;
  std::string protocol;
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    std::string metadata;
    std::string assignment;
  };
  std::vector<Member> members;
  void Fail(ErrorCode code) { *this = GroupDescription{.error = code}; }
};

struct ListResult;
struct ListRequest {
  using Answer = ListResult;
  std::vector<std::string> states;  // any of; empty: all. Case is ignored.
  std::vector<std::string> types;   // likewise
};
struct ListedGroup {
  std::string id;
  std::string protocol_type;
  std::string state;
  std::string type;
};
struct ListResult {
  ErrorCode error = ErrorCode::kNone;
  std::vector<ListedGroup> groups;
  void Fail(ErrorCode code) { *this = ListResult{.error = code}; }
};

// Answers that may wait for a rebalance or for records to be committed.
using Response =
    std::variant<JoinResult, SyncResult, HeartbeatResult, LeaveResult,
                 CommitResult, DeleteResult, DeleteOffsetsResult>;

inline void JoinResult::Fail(ErrorCode code) {
  *this = JoinResult{.error = code, .member_id = std::move(member_id)};
}

}  // namespace tidemark::coordinator
