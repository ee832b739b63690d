#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator/group/decision.h"
#include "broker/coordinator/group/transactional_offsets.h"

// The classic group protocol (KIP-62, KIP-345, KIP-394, KIP-814), as Kafka's
// ClassicGroup. Transitions:
//
//   from                 event                                 to
//   Empty                a member joins                        Preparing
//   Preparing            all members joined, or rebalance
//                        timeout (laggards dropped), or the
//                        initial delay of a new group is over  Completing
//   Preparing            the same, and nobody is left          Empty
//   Completing           assignments of the leader committed   Stable
//   Completing           their write failed; a member joins,
//                        leaves, expires, changes; somebody
//                        does not sync within the timeout      Preparing
//   Stable               the leader rejoins; a member joins,
//                        leaves, expires, changes protocols    Preparing
//   Stable               a static member is replaced, same
//                        protocol selected                     Stable
//   Empty                no offsets left, or deleted           (gone)
//
//   request \ state  Empty    Preparing  Completing  Stable
//   JoinGroup        parked   parked     current generation if nothing
//                                        changed, else a new rebalance
//   SyncGroup        25       27         parked      assignment
//   Heartbeat        25       27         NONE        NONE
//   OffsetCommit     simple   members    27          members
//   TxnOffsetCommit  anybody; who says a generation, member or instance must
//                    be right about it
//
// What survives a coordinator (`stored`, `offsets`, `transactional`) changes
// only in Apply and by markers. Everything else is soft: a failover loses it
// and clients rejoin.
namespace tidemark::coordinator {

enum class GroupState : uint8_t {
  kEmpty,
  kPreparingRebalance,
  kCompletingRebalance,
  kStable,
};

// "PreparingRebalance", as Kafka's tools print it.
std::string_view StateName(GroupState state);

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;
  std::vector<Protocol> protocols;
  std::string assignment;
  std::optional<Ticket> join;  // its JoinGroup waits for the rebalance
  std::optional<Ticket> sync;  // its SyncGroup waits for the leader's
  bool is_new = false;         // not yet answered a JoinGroup
  Instant session_deadline;

  // A member that waits for us cannot be late; a new one has its own limit.
  bool CanExpire() const { return is_new || (!join && !sync); }
  bool Supports(std::string_view protocol) const;
  // "" when it does not support it.
  std::string MetadataFor(const std::optional<std::string>& protocol) const;
};

// All state of one group. Pure value with one owner; decisions on it are the
// functions of rebalance.h, join.h, sync.h, leave.h, timers.h and offsets.h.
struct Group {
  explicit Group(std::string group_id) : id(std::move(group_id)) {}

  std::string id;

  // Replicated.
  std::optional<StoredGroup> stored;
  std::map<TopicPartition, CommittedOffset> offsets;
  TransactionalOffsets transactional;  // of transactions that are open

  // Soft.
  GroupState state = GroupState::kEmpty;
  GroupState previous_state = GroupState::kEmpty;
  int64_t state_timestamp_ms = -1;
  int32_t generation = 0;
  std::string protocol_type;  // "": never had members (simple consumers)
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::map<std::string, Member> members;
  std::map<std::string, std::string> static_members;  // instance -> member id
  // Got an id with MEMBER_ID_REQUIRED and have not come back yet.
  std::map<std::string, Instant> pending_joins;
  std::set<std::string> pending_syncs;  // answered Join, did not Sync yet
  std::optional<Instant> join_deadline;
  std::optional<Instant> sync_deadline;
  // The delay of a group's first rebalance, which grows while members come.
  Duration initial_step{};
  Duration initial_remaining{};
  bool new_member_added = false;
  std::optional<int32_t> assignment_in_flight;  // generation
  // Offsets in writes that are not settled; nothing may expire meanwhile.
  std::map<TopicPartition, int> pending_offsets;
  // Those of them that are part of a transaction.
  std::map<TopicPartition, int> pending_transactional;
  size_t footprint = 0;  // as the table has counted it

  bool Is(GroupState s) const { return state == s; }
  // An open transaction may change the partition's offset.
  bool IsUnstable(const TopicPartition& partition) const {
    return transactional.Contains(partition) ||
           pending_transactional.contains(partition);
  }
  void TransitionTo(GroupState next, int64_t wall_ms);

  Member* Find(const std::string& member_id);
  // kNone, kUnknownMemberId or kFencedInstanceId.
  ErrorCode Validate(const std::string& member_id,
                     const std::optional<std::string>& instance_id) const;
  bool IsLeader(const std::string& member_id) const {
    return leader == member_id;
  }

  void Add(Member member);
  // Hands the leadership on. REQUIRES: it is a member without tickets.
  void Remove(const std::string& member_id);
  // The same member of a static group under a new id. REQUIRES: as Remove.
  Member& Replace(const std::string& old_id, const std::string& new_id);

  // A newcomer with these can share a protocol with every member.
  bool SupportsProtocols(const std::string& type,
                         const std::vector<Protocol>& protocols) const;
  // Every member votes for its first protocol that all support; ties go to
  // the smaller name. nullopt: none is supported by all.
  std::optional<std::string> SelectProtocol() const;

  bool AllJoined() const;
  int32_t MaxRebalanceTimeoutMs() const;
  // The current members with `assignment` of each, for the log.
  StoredGroup ToStored() const;
  // Nothing is left worth remembering.
  bool IsDisposable() const;
};

// The one place where a record changes a group, on load and after commit.
void Apply(Group& group, const GroupMetadataRecord& record);
void Apply(Group& group, const OffsetRecord& record);

// Soft state of a freshly loaded group: every stored member gets a whole
// session, since it could not reach anybody meanwhile.
void Activate(Group& group, Moment at);

}  // namespace tidemark::coordinator
