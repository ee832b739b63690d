#include "common/kafka/messages/sync_group.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithProtocol = 5;

kafka::SyncGroupResponse ToKafka(coordinator::SyncResult result) {
  // Clients do not expect COORDINATOR_LOAD_IN_PROGRESS here: let them rejoin.
  if (result.error == ErrorCode::kCoordinatorLoadInProgress)
    result.error = ErrorCode::kRebalanceInProgress;
  return {.error_code = ErrorField(result.error),
          .protocol_type = std::move(result.protocol_type),
          .protocol_name = std::move(result.protocol_name),
          .assignment = SharedBytes(std::move(result.assignment))};
}

}  // namespace

void HandleSyncGroup(RequestContext context, kafka::SyncGroupRequest request,
                     Reply<kafka::SyncGroupResponse> reply) {
  const bool must_name_protocol = context.version >= kFirstWithProtocol;
  if (must_name_protocol && (!request.protocol_type || !request.protocol_name))
    return reply(ToKafka({.error = ErrorCode::kInconsistentGroupProtocol}));
  coordinator::SyncRequest sync{
      .group_id = std::move(request.group_id),
      .generation = request.generation_id,
      .member_id = std::move(request.member_id),
      .instance_id = std::move(request.group_instance_id),
      .protocol_type = std::move(request.protocol_type),
      .protocol_name = std::move(request.protocol_name)};
  for (auto& a : request.assignments)
    sync.assignments.push_back(
        {std::move(a.member_id), std::string(a.assignment.view())});
  context.services->groups->Sync(
      std::move(sync),
      [reply = std::move(reply)](coordinator::SyncResult result) {
        reply(ToKafka(std::move(result)));
      });
}

}  // namespace tidemark::server
