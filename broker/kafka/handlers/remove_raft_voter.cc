#include "common/kafka/messages/remove_raft_voter.h"

#include "broker/kafka/handlers/change_quorum.h"
#include "broker/kafka/handlers/config_view.h"

namespace tidemark::server {

void HandleRemoveRaftVoter(RequestContext context,
                           kafka::RemoveRaftVoterRequest request,
                           Reply<kafka::RemoveRaftVoterResponse> reply) {
  constexpr int32_t kTimeoutMs = 10'000;  // the request names none
  admin::v1::ChangeQuorumRequest change;
  change.set_kind(admin::v1::ChangeQuorumRequest::REMOVE);
  change.set_id(request.voter_id);
  change.set_directory_id(request.voter_directory_id.ToBytes());
  change.set_timeout_ms(kTimeoutMs);
  ChangeQuorum(context, request.cluster_id,
               Result<admin::v1::ChangeQuorumRequest>(std::move(change)),
               AdminTimeout(kTimeoutMs), std::move(reply));
}

}  // namespace tidemark::server
