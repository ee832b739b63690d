#include "common/kafka/messages/delete_groups.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {

void HandleDeleteGroups(RequestContext context,
                        kafka::DeleteGroupsRequest request,
                        Reply<kafka::DeleteGroupsResponse> reply) {
  using Result = coordinator::DeleteResult;
  auto answer = [ids = request.groups_names,
                 reply = std::move(reply)](std::vector<Result> results) {
    kafka::DeleteGroupsResponse response;
    for (size_t i = 0; i < ids.size(); ++i)
      response.results.push_back({ids[i], ErrorField(results[i].error)});
    reply(std::move(response));
  };
  Gather<Result>::Run(request.groups_names.size(), std::move(answer),
                      [&](size_t i, auto done) {
                        context.services->groups->Delete(
                            request.groups_names[i], std::move(done));
                      });
}

}  // namespace tidemark::server
