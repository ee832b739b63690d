#pragma once

#include <algorithm>
#include <vector>

#include "broker/kafka/handlers/cluster_view.h"

namespace tidemark::server {

// The addresses of the brokers in `ids` on the client's listener (KIP-951), as
// the message's own endpoint type.
template <class Endpoint>
std::vector<Endpoint> NodeEndpoints(const metadata::Image& image,
                                    std::vector<NodeId> ids,
                                    const std::string& listener) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<Endpoint> endpoints;
  for (const NodeId id : ids) {
    const auto* address = LiveEndpoint(image, id, listener);
    if (address == nullptr) continue;
    Endpoint endpoint;
    endpoint.node_id = id;
    endpoint.host = address->host;
    endpoint.port = address->port;
    const auto& rack = image.FindBroker(id)->rack;
    if (!rack.empty()) endpoint.rack = rack;
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

}  // namespace tidemark::server
