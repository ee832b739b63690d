#include "common/kafka/messages/sasl_handshake.h"

#include "broker/kafka/handlers/cluster_view.h"

namespace tidemark::server {

// One in its place is the connection's affair (Authentication).
void HandleSaslHandshake(RequestContext, kafka::SaslHandshakeRequest,
                         Reply<kafka::SaslHandshakeResponse> reply) {
  kafka::SaslHandshakeResponse response;
  response.error_code = Code(ErrorCode::kIllegalSaslState);
  reply(std::move(response));
}

}  // namespace tidemark::server
