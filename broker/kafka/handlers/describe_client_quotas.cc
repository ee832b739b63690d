#include "common/kafka/messages/describe_client_quotas.h"

#include "broker/kafka/handlers/cluster_view.h"

namespace tidemark::server {

// Nobody can set one yet, and none is what there is.
void HandleDescribeClientQuotas(
    RequestContext, kafka::DescribeClientQuotasRequest,
    Reply<kafka::DescribeClientQuotasResponse> reply) {
  kafka::DescribeClientQuotasResponse response;
  response.entries.emplace();
  reply(std::move(response));
}

}  // namespace tidemark::server
