#include "common/kafka/messages/list_groups.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {

void HandleListGroups(RequestContext context, kafka::ListGroupsRequest request,
                      Reply<kafka::ListGroupsResponse> reply) {
  context.services->groups->List(
      {.states = std::move(request.states_filter),
       .types = std::move(request.types_filter)},
      [reply = std::move(reply)](coordinator::ListResult result) {
        kafka::ListGroupsResponse response{.error_code =
                                               ErrorField(result.error)};
        for (auto& group : result.groups) {
          response.groups.push_back(
              {.group_id = std::move(group.id),
               .protocol_type = std::move(group.protocol_type),
               .group_state = std::move(group.state),
               .group_type = std::move(group.type)});
        }
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
