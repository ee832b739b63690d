#include "common/kafka/messages/delete_groups.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {

void HandleDeleteGroups(RequestContext context,
                        kafka::DeleteGroupsRequest request,
                        Reply<kafka::DeleteGroupsResponse> reply) {
  using Result = coordinator::DeleteResult;
  if (request.groups_names.size() > kMaxGroupsInARequest) return;
  std::vector<std::string> ids = Distinct(std::move(request.groups_names));
  const size_t count = ids.size();
  auto answer = [ids, reply = std::move(reply)](std::vector<Result> results) {
    kafka::DeleteGroupsResponse response;
    for (size_t i = 0; i < ids.size(); ++i)
      response.results.push_back({ids[i], ErrorField(results[i].error)});
    reply(std::move(response));
  };
  Gather<Result>::Run(
      count, std::move(answer),
      [groups = context.services->groups, ids = std::move(ids)](
          size_t i, auto done) { groups->Delete(ids[i], std::move(done)); });
}

}  // namespace tidemark::server
