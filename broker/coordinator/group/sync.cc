#include "broker/coordinator/group/sync.h"

#include <glog/logging.h>

#include "broker/coordinator/group/rebalance.h"

namespace tidemark::coordinator {
namespace {

ErrorCode ValidateSync(const Group& group, const SyncRequest& request) {
  const ErrorCode error =
      group.Validate(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) return error;
  if (request.generation != group.generation)
    return ErrorCode::kIllegalGeneration;
  if (group.Is(GroupState::kPreparingRebalance))
    return ErrorCode::kRebalanceInProgress;
  const bool same_type =
      !request.protocol_type || request.protocol_type == group.protocol_type;
  const bool same_name =
      !request.protocol_name || request.protocol_name == group.protocol;
  return same_type && same_name ? ErrorCode::kNone
                                : ErrorCode::kInconsistentGroupProtocol;
}

SyncResult AssignmentOf(const Group& group, const Member& member) {
  return {.protocol_type = group.protocol_type,
          .protocol_name = group.protocol,
          .assignment = member.assignment};
}

// The record shows the group as it will be when the record is committed.
void StoreAssignments(Group& group, const SyncRequest& request, Step& step) {
  StoredGroup value = group.ToStored();
  value.state_timestamp_ms = step.at.wall_ms;
  std::map<std::string, const std::string*> assigned;
  for (const auto& a : request.assignments)
    assigned[a.member_id] = &a.assignment;
  for (StoredMember& m : value.members) {
    const auto it = assigned.find(m.id);
    m.assignment = it == assigned.end() ? std::string() : *it->second;
  }
  group.assignment_in_flight = group.generation;
  step.out.records.push_back(GroupMetadataRecord{group.id, std::move(value)});
  step.out.sequel = AssignmentWrite{group.id, group.generation};
}

}  // namespace

void Sync(Group& group, const SyncRequest& request, bool has_room,
          Ticket ticket, Step& step) {
  const ErrorCode error = ValidateSync(group, request);
  if (error != ErrorCode::kNone) {
    step.out.Reply(ticket, SyncResult{.error = error});
    return;
  }
  Member& member = *group.Find(request.member_id);
  group.pending_syncs.erase(member.id);
  if (group.Is(GroupState::kStable)) {
    RestartSession(member, step.at);
    step.out.Reply(ticket, AssignmentOf(group, member));
    return;
  }
  // A member asks twice when it lost its connection: the newest is answered.
  if (member.sync)
    step.out.Reply(*member.sync,
                   SyncResult{.error = ErrorCode::kRebalanceInProgress});
  member.sync = ticket;
  if (!group.IsLeader(member.id) || group.assignment_in_flight) return;
  if (has_room) return StoreAssignments(group, request, step);
  group.pending_syncs.insert(member.id);
}

void OnAssignmentStored(Group& group, int32_t generation, bool committed,
                        Step& step) {
  if (!group.Is(GroupState::kCompletingRebalance) ||
      group.generation != generation) {
    return;
  }
  if (!committed) {
    PrepareRebalance(group, step);
    return;
  }
  CHECK(group.stored && group.stored->generation == generation)
      << "group=" << group.id;
  group.assignment_in_flight.reset();
  for (const StoredMember& stored : group.stored->members)
    if (Member* m = group.Find(stored.id)) m->assignment = stored.assignment;
  group.TransitionTo(GroupState::kStable, group.stored->state_timestamp_ms);
  for (auto& [unused, member] : group.members) {
    if (!member.sync) continue;
    step.out.Reply(*member.sync, AssignmentOf(group, member));
    member.sync.reset();
    RestartSession(member, step.at);
  }
}

ErrorCode Heartbeat(Group& group, const HeartbeatRequest& request, Moment at) {
  const ErrorCode error =
      group.Validate(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) return error;
  if (request.generation != group.generation)
    return ErrorCode::kIllegalGeneration;
  Member& member = *group.Find(request.member_id);
  if (!member.is_new) RestartSession(member, at);
  return group.Is(GroupState::kPreparingRebalance)
             ? ErrorCode::kRebalanceInProgress
             : ErrorCode::kNone;
}

}  // namespace tidemark::coordinator
