#include "common/kafka/messages/unregister_broker.h"

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/controller_client.h"

namespace tidemark::server {

void HandleUnregisterBroker(RequestContext context,
                            kafka::UnregisterBrokerRequest request,
                            Reply<kafka::UnregisterBrokerResponse> reply) {
  constexpr Duration kTimeout = std::chrono::seconds(30);
  admin::v1::UnregisterBrokerRequest ask;
  ask.set_broker_id(request.broker_id);
  context.services->controller->UnregisterBroker(
      ask, kTimeout,
      [reply = std::move(reply)](
          const Result<admin::v1::UnregisterBrokerResponse>& answer) {
        kafka::UnregisterBrokerResponse response;
        if (!answer) {
          response.error_code = Code(answer.error().code);
          response.error_message = NullableMessage(answer.error().message);
        }
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
