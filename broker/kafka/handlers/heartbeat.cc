#include "common/kafka/messages/heartbeat.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {

void HandleHeartbeat(RequestContext context, kafka::HeartbeatRequest request,
                     Reply<kafka::HeartbeatResponse> reply) {
  context.services->groups->Heartbeat(
      {.group_id = std::move(request.group_id),
       .generation = request.generation_id,
       .member_id = std::move(request.member_id),
       .instance_id = std::move(request.group_instance_id)},
      [reply = std::move(reply)](coordinator::HeartbeatResult result) {
        // As Kafka: clients do not expect it, and every member gets a fresh
        // session at the end of the load anyway.
        if (result.error == ErrorCode::kCoordinatorLoadInProgress)
          result.error = ErrorCode::kNone;
        reply({.error_code = ErrorField(result.error)});
      });
}

}  // namespace tidemark::server
