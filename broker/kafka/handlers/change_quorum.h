#pragma once

#include <optional>
#include <string>
#include <utility>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/controller_client.h"

namespace tidemark::server {

// What AddRaftVoter and RemoveRaftVoter share: the controllers are asked, for
// the cluster that the client means, and their answer is the client's.
template <class Response>
void ChangeQuorum(const RequestContext& context,
                  const std::optional<std::string>& cluster_id,
                  Result<admin::v1::ChangeQuorumRequest> request,
                  Duration timeout, Reply<Response> reply) {
  const auto answer = [reply = std::move(reply)](const Status& status) {
    Response response;
    if (!status) {
      response.error_code = Code(status.error().code);
      response.error_message = NullableMessage(status.error().message);
    }
    reply(std::move(response));
  };
  if (cluster_id && *cluster_id != context.services->cluster_id) {
    return answer(Fail(ErrorCode::kInconsistentClusterId,
                       "this is cluster " + context.services->cluster_id));
  }
  if (!request) return answer(Fail(request.error()));
  context.services->controller->ChangeQuorum(
      std::move(*request), timeout,
      [on = context.executor,
       answer](const Result<admin::v1::ChangeQuorumResponse>& done) {
        const Status status = done ? Status() : Fail(done.error());
        on->Post([answer, status] { answer(status); });
      });
}

}  // namespace tidemark::server
