#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// All groups of one __consumer_offsets partition: the pure state machine that
// its coordinator drives. `Decide`-functions return what to write and whom to
// answer and touch soft state only; Settle and Apply alone change what the
// log keeps. One owner; no clock, no randomness, no I/O.
class GroupTable {
 public:
  explicit GroupTable(GroupConfig config) : config_(config) {}

  Decision Join(const JoinRequest& request, Ticket ticket, Moment at);
  Decision Sync(const SyncRequest& request, Ticket ticket, Moment at);
  Decision Heartbeat(const HeartbeatRequest& request, Ticket ticket, Moment at);
  Decision Leave(const LeaveRequest& request, Ticket ticket, Moment at);
  Decision Commit(const CommitRequest& request, Ticket ticket, Moment at);
  Decision Delete(const std::string& group_id, Ticket ticket);

  FetchResult Fetch(const FetchRequest& request) const;
  GroupDescription Describe(const std::string& group_id) const;
  std::vector<ListedGroup> List(const ListRequest& request) const;

  // The write of a decision has ended: its records are applied if they were
  // committed. Must be called once for every decision with records, in order.
  void Settle(const std::vector<GroupRecord>& records, bool committed);
  // After Settle, for decisions that carry an AssignmentWrite.
  Decision OnStored(const AssignmentWrite& write, bool committed, Moment at);

  std::optional<Instant> NextDeadline() const;
  // One decision for each group that was due.
  std::vector<Decision> OnTimer(Moment at);

  // One decision for each group that has something to forget.
  std::vector<Decision> Expire(int64_t wall_ms) const;
  std::vector<Decision> ForgetTopics(const std::set<std::string>& topics) const;

  // Loading: Clear, Apply for every record of the log, Activate.
  void Clear();
  void Apply(const GroupRecord& record);
  void Activate(Moment at);

  const std::map<std::string, Group>& groups() const { return groups_; }

 private:
  Group* Find(const std::string& group_id);
  const Group* Find(const std::string& group_id) const;
  Step NewStep(Moment at) const { return {config_, at, {}}; }
  // Ends a decision about a group: wake-up time, pending writes, disposal.
  Decision Finish(const std::string& group_id, Step step);
  void Reschedule(const Group& group);
  void Unschedule(const std::string& group_id);
  void DisposeIfDone(const std::string& group_id);

  const GroupConfig config_;
  std::map<std::string, Group> groups_;
  // Wake-up times: never later than the group's next deadline, but perhaps
  // earlier (heartbeats do not move them).
  std::map<std::string, Instant> wakeups_;
  std::set<std::pair<Instant, std::string>> wakeup_order_;
};

const std::string& GroupIdOf(const GroupRecord& record);

}  // namespace tidemark::coordinator
