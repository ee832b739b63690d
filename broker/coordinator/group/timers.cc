#include "broker/coordinator/group/timers.h"

#include <algorithm>

#include "broker/coordinator/group/rebalance.h"

namespace tidemark::coordinator {
namespace {

void ExpirePendingJoins(Group& group, Step& step) {
  const size_t expired = std::erase_if(
      group.pending_joins,
      [&](const auto& pending) { return pending.second <= step.at.now; });
  if (expired > 0) MaybeCompleteJoin(group, step);
}

void ExpireSessions(Group& group, Step& step) {
  std::vector<std::string> expired;
  for (const auto& [id, m] : group.members)
    if (m.CanExpire() && m.session_deadline <= step.at.now)
      expired.push_back(id);
  for (const std::string& id : expired) {
    // An earlier removal may have ended the join phase without it.
    if (group.Find(id))
      RemoveMember(group, id, ErrorCode::kUnknownMemberId, step);
  }
}

void EndJoinPhase(Group& group, Step& step) {
  const bool initial = group.previous_state == GroupState::kEmpty;
  if (initial && group.new_member_added &&
      group.initial_remaining > Duration::zero()) {
    group.new_member_added = false;
    const Duration delay =
        std::min(Duration(std::chrono::milliseconds(
                     step.config.group_initial_rebalance_delay_ms)),
                 group.initial_remaining);
    group.initial_remaining = std::max(
        group.initial_remaining - group.initial_step, Duration::zero());
    group.initial_step = delay;
    group.join_deadline = step.at.now + delay;
    return;
  }
  CompleteJoin(group, step);
}

// Kafka (KAFKA-12890): members that joined but never sync are dropped, or
// they would hold the group in Completing for ever.
void EndSyncPhase(Group& group, Step& step) {
  group.sync_deadline.reset();
  const std::set<std::string> late = std::move(group.pending_syncs);
  group.pending_syncs.clear();
  if (late.empty()) return;
  for (const std::string& id : late) {
    FailWaiting(*group.Find(id), ErrorCode::kUnknownMemberId, step);
    group.Remove(id);
  }
  PrepareRebalance(group, step);
}

}  // namespace

std::optional<Instant> NextDeadline(const Group& group) {
  std::optional<Instant> next;
  const auto consider = [&](Instant at) {
    if (!next || at < *next) next = at;
  };
  for (const auto& [unused, at] : group.pending_joins) consider(at);
  for (const auto& [unused, m] : group.members)
    if (m.CanExpire()) consider(m.session_deadline);
  if (group.join_deadline) consider(*group.join_deadline);
  if (group.sync_deadline) consider(*group.sync_deadline);
  return next;
}

void OnTimer(Group& group, Step& step) {
  ExpirePendingJoins(group, step);
  ExpireSessions(group, step);
  if (group.join_deadline && *group.join_deadline <= step.at.now)
    EndJoinPhase(group, step);
  if (group.sync_deadline && *group.sync_deadline <= step.at.now)
    EndSyncPhase(group, step);
}

}  // namespace tidemark::coordinator
