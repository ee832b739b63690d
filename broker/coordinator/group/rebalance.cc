#include "broker/coordinator/group/rebalance.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

void WaitForJoins(Group& group, Step& step) {
  group.join_deadline =
      step.at.now + milliseconds(group.MaxRebalanceTimeoutMs());
}

void StartInitialDelay(Group& group, Step& step) {
  const Duration delay =
      milliseconds(step.config.group_initial_rebalance_delay_ms);
  group.initial_step = delay;
  group.initial_remaining =
      std::max(Duration(milliseconds(group.MaxRebalanceTimeoutMs())) - delay,
               Duration::zero());
  group.new_member_added = false;
  group.join_deadline = step.at.now + delay;
}

void BecomeEmpty(Group& group, Step& step) {
  ++group.generation;
  group.protocol.reset();
  group.leader.reset();
  group.TransitionTo(GroupState::kEmpty, step.at.wall_ms);
  step.out.records.push_back(GroupMetadataRecord{group.id, group.ToStored()});
}

// The leader must be somebody who is here; false when nobody is.
bool ElectJoinedLeader(Group& group) {
  if (group.leader) {
    const Member* current = group.Find(*group.leader);
    if (current && current->join) return true;
  }
  for (auto& [id, member] : group.members) {
    if (!member.join) continue;
    group.leader = id;
    return true;
  }
  return false;
}

void StartGeneration(Group& group, Step& step) {
  ++group.generation;
  group.protocol = group.SelectProtocol();
  CHECK(group.protocol) << "group=" << group.id;
  group.TransitionTo(GroupState::kCompletingRebalance, step.at.wall_ms);
  group.assignment_in_flight.reset();
  group.pending_syncs.clear();
  for (auto& [id, member] : group.members) {
    if (member.join) {
      step.out.Reply(*member.join, JoinResultFor(group, member));
      member.join.reset();
      RestartSession(member, step.at);
    }
    member.assignment.clear();
    member.is_new = false;
    group.pending_syncs.insert(id);
  }
  group.sync_deadline =
      step.at.now + milliseconds(group.MaxRebalanceTimeoutMs());
}

}  // namespace

void RestartSession(Member& member, Moment at) {
  member.session_deadline = at.now + milliseconds(member.session_timeout_ms);
}

JoinResult JoinResultFor(const Group& group, const Member& member) {
  JoinResult result{.generation = group.generation,
                    .protocol_type = group.protocol_type,
                    .protocol_name = group.protocol,
                    .leader = group.leader.value_or(""),
                    .member_id = member.id};
  if (!group.IsLeader(member.id)) return result;
  for (const auto& [id, m] : group.members)
    result.members.push_back(
        {id, m.instance_id, m.MetadataFor(group.protocol)});
  return result;
}

void PrepareRebalance(Group& group, Step& step) {
  CHECK(!group.Is(GroupState::kPreparingRebalance)) << "group=" << group.id;
  for (auto& [unused, member] : group.members) {
    if (!member.sync) continue;
    step.out.Reply(*member.sync,
                   SyncResult{.error = ErrorCode::kRebalanceInProgress});
    member.sync.reset();
    RestartSession(member, step.at);
  }
  group.assignment_in_flight.reset();
  group.pending_syncs.clear();
  group.sync_deadline.reset();
  const bool first = group.Is(GroupState::kEmpty);
  group.TransitionTo(GroupState::kPreparingRebalance, step.at.wall_ms);
  if (first) {
    StartInitialDelay(group, step);
  } else {
    WaitForJoins(group, step);
    MaybeCompleteJoin(group, step);
  }
}

void MaybeCompleteJoin(Group& group, Step& step) {
  if (group.Is(GroupState::kPreparingRebalance) &&
      group.previous_state != GroupState::kEmpty && group.AllJoined()) {
    CompleteJoin(group, step);
  }
}

void CompleteJoin(Group& group, Step& step) {
  std::vector<std::string> absent;
  for (const auto& [id, member] : group.members)
    if (!member.join && !member.instance_id) absent.push_back(id);
  for (const std::string& id : absent) group.Remove(id);

  group.join_deadline.reset();
  if (group.members.empty()) {
    BecomeEmpty(group, step);
  } else if (!ElectJoinedLeader(group)) {
    // Only absent static members: wait until they come or their sessions end.
    WaitForJoins(group, step);
  } else {
    StartGeneration(group, step);
  }
}

void AfterMemberChange(Group& group, Step& step) {
  if (group.Is(GroupState::kPreparingRebalance)) {
    MaybeCompleteJoin(group, step);
  } else {
    PrepareRebalance(group, step);
  }
}

void FailWaiting(Member& member, ErrorCode why, Step& step) {
  if (member.join)
    step.out.Reply(*member.join,
                   JoinResult{.error = why, .member_id = member.id});
  if (member.sync) step.out.Reply(*member.sync, SyncResult{.error = why});
  member.join.reset();
  member.sync.reset();
}

void RemoveMember(Group& group, const std::string& member_id, ErrorCode why,
                  Step& step) {
  Member* member = group.Find(member_id);
  CHECK(member) << "group=" << group.id << " member=" << member_id;
  FailWaiting(*member, why, step);
  group.Remove(member_id);
  AfterMemberChange(group, step);
}

}  // namespace tidemark::coordinator
