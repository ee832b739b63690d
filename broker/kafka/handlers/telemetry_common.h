#pragma once

#include "broker/kafka/client_subscriptions.h"
#include "broker/kafka/handler.h"

namespace tidemark::server {

// Who asks; on the connection's executor.
inline AskingClient ClientOf(const RequestContext& context) {
  AskingClient client;
  client.id = context.client_id;
  client.address =
      context.client_host.substr(context.client_host.starts_with('/') ? 1 : 0);
  if (context.software != nullptr) {
    client.software_name = context.software->name;
    client.software_version = context.software->version;
    client.port = context.software->port;
  }
  return client;
}

}  // namespace tidemark::server
