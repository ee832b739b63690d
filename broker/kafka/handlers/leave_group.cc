#include "common/kafka/messages/leave_group.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstBatched = 3;

kafka::LeaveGroupResponse ToKafka(
    int16_t version, std::vector<coordinator::LeaveRequest::Member> members,
    const coordinator::LeaveResult& result) {
  kafka::LeaveGroupResponse out{.error_code = ErrorField(result.error)};
  if (result.error != ErrorCode::kNone) return out;
  if (version < kFirstBatched) {
    out.error_code = ErrorField(result.members.front());
    return out;
  }
  for (size_t i = 0; i < members.size(); ++i) {
    out.members.push_back(
        {.member_id = std::move(members[i].member_id),
         .group_instance_id = std::move(members[i].instance_id),
         .error_code = ErrorField(result.members[i])});
  }
  return out;
}

}  // namespace

void HandleLeaveGroup(RequestContext context, kafka::LeaveGroupRequest request,
                      Reply<kafka::LeaveGroupResponse> reply) {
  coordinator::LeaveRequest leave{.group_id = std::move(request.group_id)};
  if (context.version < kFirstBatched)
    leave.members.push_back({std::move(request.member_id), std::nullopt});
  for (auto& m : request.members)
    leave.members.push_back(
        {std::move(m.member_id), std::move(m.group_instance_id)});
  auto members = leave.members;
  context.services->groups->Leave(
      std::move(leave),
      [version = context.version, members = std::move(members),
       reply = std::move(reply)](coordinator::LeaveResult result) {
        reply(ToKafka(version, members, result));
      });
}

}  // namespace tidemark::server
