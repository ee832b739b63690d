#include "common/kafka/messages/describe_cluster.h"

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {

void HandleDescribeCluster(RequestContext context,
                           kafka::DescribeClusterRequest request,
                           Reply<kafka::DescribeClusterResponse> reply) {
  constexpr int8_t kBrokers = 1;
  constexpr int16_t kMismatchedEndpointType = 114;
  const metadata::ImagePtr image = context.services->metadata->Get();
  kafka::DescribeClusterResponse response;
  response.cluster_id = context.services->cluster_id;
  if (request.endpoint_type != kBrokers) {
    response.error_code = kMismatchedEndpointType;
    response.error_message = "This is a broker's port: it lists brokers only.";
    return reply(std::move(response));
  }
  response.controller_id =
      AdminBroker(*image, context.services->config->node_id, context.listener);
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  for (const auto& [id, broker] : image->brokers()) {
    if (broker->fenced && !request.include_fenced_brokers) continue;
    const auto* endpoint = broker->FindEndpoint(context.listener);
    if (endpoint == nullptr) continue;
    auto& to = response.brokers.emplace_back();
    to.broker_id = id;
    to.host = endpoint->host;
    to.port = endpoint->port;
    to.rack = NullableMessage(broker->rack);
    to.is_fenced = broker->fenced;
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
