#include "common/kafka/messages/sasl_authenticate.h"

#include "broker/kafka/handlers/cluster_view.h"

namespace tidemark::server {

// One in its place is the connection's affair (Authentication).
void HandleSaslAuthenticate(RequestContext, kafka::SaslAuthenticateRequest,
                            Reply<kafka::SaslAuthenticateResponse> reply) {
  kafka::SaslAuthenticateResponse response;
  response.error_code = Code(ErrorCode::kIllegalSaslState);
  response.error_message =
      "SaslAuthenticate request received after successful authentication";
  reply(std::move(response));
}

}  // namespace tidemark::server
