#include "common/kafka/messages/add_raft_voter.h"

#include "broker/kafka/handlers/change_quorum.h"
#include "broker/kafka/handlers/config_view.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

Result<admin::v1::ChangeQuorumRequest> ToChange(
    const kafka::AddRaftVoterRequest& request, Duration timeout) {
  if (request.listeners.empty() || !IsUtf8(request.listeners[0].host)) {
    return Fail(ErrorCode::kInvalidRequest,
                "where does the controller listen?");
  }
  admin::v1::ChangeQuorumRequest change;
  change.set_kind(admin::v1::ChangeQuorumRequest::ADD);
  change.set_id(request.voter_id);
  change.set_directory_id(request.voter_directory_id.ToBytes());
  change.set_host(request.listeners[0].host);
  change.set_port(static_cast<uint16_t>(request.listeners[0].port));
  change.set_timeout_ms(
      static_cast<int32_t>(timeout / std::chrono::milliseconds(1)));
  return change;
}

}  // namespace

void HandleAddRaftVoter(RequestContext context,
                        kafka::AddRaftVoterRequest request,
                        Reply<kafka::AddRaftVoterResponse> reply) {
  const Duration timeout = AdminTimeout(request.timeout_ms);
  ChangeQuorum(context, request.cluster_id, ToChange(request, timeout), timeout,
               std::move(reply));
}

}  // namespace tidemark::server
