#include "broker/coordinator/group/leave.h"

#include "broker/coordinator/group/rebalance.h"

namespace tidemark::coordinator {
namespace {

ErrorCode LeaveOne(Group& group, const LeaveRequest::Member& leaver,
                   Step& step) {
  std::string member_id = leaver.member_id;
  if (member_id.empty()) {
    if (!leaver.instance_id) return ErrorCode::kUnknownMemberId;
    const auto it = group.static_members.find(*leaver.instance_id);
    if (it == group.static_members.end()) return ErrorCode::kUnknownMemberId;
    member_id = it->second;
  } else if (group.pending_joins.erase(member_id) > 0) {
    MaybeCompleteJoin(group, step);
    return ErrorCode::kNone;
  }
  const ErrorCode error = group.Validate(member_id, leaver.instance_id);
  if (error == ErrorCode::kNone)
    RemoveMember(group, member_id, ErrorCode::kUnknownMemberId, step);
  return error;
}

}  // namespace

void Leave(Group& group, const LeaveRequest& request, Ticket ticket,
           Step& step) {
  LeaveResult result;
  for (const LeaveRequest::Member& leaver : request.members)
    result.members.push_back(LeaveOne(group, leaver, step));
  step.out.Reply(ticket, std::move(result));
}

}  // namespace tidemark::coordinator
