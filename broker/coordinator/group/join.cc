#include "broker/coordinator/group/join.h"

#include "broker/coordinator/group/rebalance.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

void Refuse(ErrorCode error, std::string member_id, Ticket ticket, Step& step) {
  step.out.Reply(ticket,
                 JoinResult{.error = error, .member_id = std::move(member_id)});
}

bool HasRoomFor(const Group& group, const std::string& member_id,
                int32_t max_size) {
  const auto it = group.members.find(member_id);
  const bool known = it != group.members.end();
  if (!group.Is(GroupState::kPreparingRebalance))
    return known || static_cast<int64_t>(group.members.size()) < max_size;
  // Who comes back first stays; who is late in a group that is too big goes.
  if (known && it->second.join) return true;
  int64_t waiting = 0;
  for (const auto& [unused, m] : group.members) waiting += m.join ? 1 : 0;
  return waiting < max_size;
}

void TakeOver(Member& member, const JoinRequest& request, Ticket ticket,
              Step& step) {
  if (member.join) {
    Refuse(ErrorCode::kRebalanceInProgress, member.id, *member.join, step);
  }
  member.protocols = request.protocols;
  member.client_id = request.client_id;
  member.client_host = request.client_host;
  member.session_timeout_ms = request.session_timeout_ms;
  member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  member.join = ticket;
}

void AddMember(Group& group, const std::string& member_id,
               const JoinRequest& request, Ticket ticket, Step& step) {
  Member member{.id = member_id, .instance_id = request.instance_id};
  TakeOver(member, request, ticket, step);
  member.is_new = true;
  member.session_deadline =
      step.at.now + milliseconds(step.config.new_member_join_timeout_ms);
  if (group.members.empty()) group.protocol_type = request.protocol_type;
  group.new_member_added = true;
  group.Add(std::move(member));
  AfterMemberChange(group, step);
}

void UpdateMember(Group& group, Member& member, const JoinRequest& request,
                  Ticket ticket, Step& step) {
  TakeOver(member, request, ticket, step);
  AfterMemberChange(group, step);
}

// A static member came back under a new identity while the group is Stable
// and would select the same protocol: it keeps its assignment and nobody else
// notices. Before v9 it cannot be told to skip the assignment, so a leader is
// shown its old id as the leader's, which keeps it from assigning (KIP-814).
void ReplaceQuietly(Group& group, Member& member, const JoinRequest& request,
                    const std::string& old_leader, Ticket ticket, Step& step) {
  JoinResult result = JoinResultFor(group, member);
  if (request.can_skip_assignment) {
    result.skip_assignment = group.IsLeader(member.id);
  } else {
    result.leader = old_leader;
    result.members.clear();
  }
  member.join.reset();
  RestartSession(member, step.at);
  step.out.records.push_back(GroupMetadataRecord{group.id, group.ToStored()});
  step.out.Reply(ticket, std::move(result));
}

void ReplaceStaticMember(Group& group, const std::string& old_id,
                         const JoinRequest& request, Ticket ticket,
                         Step& step) {
  const std::string old_leader = group.leader.value_or("");
  FailWaiting(*group.Find(old_id), ErrorCode::kFencedInstanceId, step);
  Member& member = group.Replace(old_id, request.new_member_id);
  TakeOver(member, request, ticket, step);
  RestartSession(member, step.at);
  if (group.Is(GroupState::kStable) &&
      group.SelectProtocol() == group.protocol) {
    ReplaceQuietly(group, member, request, old_leader, ticket, step);
  } else {
    // In Completing the old id may already be in the leader's hands.
    AfterMemberChange(group, step);
  }
}

void JoinAsNew(Group& group, const JoinRequest& request, Ticket ticket,
               Step& step) {
  if (request.instance_id) {
    const auto it = group.static_members.find(*request.instance_id);
    if (it == group.static_members.end()) {
      AddMember(group, request.new_member_id, request, ticket, step);
    } else {
      ReplaceStaticMember(group, std::string(it->second), request, ticket,
                          step);
    }
    return;
  }
  if (!request.member_id_required) {
    AddMember(group, request.new_member_id, request, ticket, step);
    return;
  }
  group.pending_joins[request.new_member_id] =
      step.at.now + milliseconds(request.session_timeout_ms);
  Refuse(ErrorCode::kMemberIdRequired, request.new_member_id, ticket, step);
}

void JoinAgain(Group& group, const JoinRequest& request, Ticket ticket,
               Step& step) {
  if (!request.instance_id && group.pending_joins.contains(request.member_id)) {
    AddMember(group, request.member_id, request, ticket, step);
    return;
  }
  const ErrorCode error =
      group.Validate(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) {
    Refuse(error, request.member_id, ticket, step);
    return;
  }
  Member& member = *group.Find(request.member_id);
  const bool unchanged = member.protocols == request.protocols;
  const bool retry = group.Is(GroupState::kCompletingRebalance) && unchanged;
  const bool follower =
      group.Is(GroupState::kStable) && unchanged && !group.IsLeader(member.id);
  if (retry || follower) {
    // It missed our answer: repeat it.
    RestartSession(member, step.at);
    step.out.Reply(ticket, JoinResultFor(group, member));
    return;
  }
  UpdateMember(group, member, request, ticket, step);
}

}  // namespace

void Join(Group& group, const JoinRequest& request, Ticket ticket, Step& step) {
  if (!HasRoomFor(group, request.member_id, step.config.group_max_size)) {
    if (group.Find(request.member_id)) {
      RemoveMember(group, request.member_id, ErrorCode::kUnknownMemberId, step);
    }
    group.pending_joins.erase(request.member_id);
    Refuse(ErrorCode::kGroupMaxSizeReached, "", ticket, step);
  } else if (!group.SupportsProtocols(request.protocol_type,
                                      request.protocols)) {
    Refuse(ErrorCode::kInconsistentGroupProtocol, request.member_id, ticket,
           step);
  } else if (request.member_id.empty()) {
    JoinAsNew(group, request, ticket, step);
  } else {
    JoinAgain(group, request, ticket, step);
  }
}

}  // namespace tidemark::coordinator
