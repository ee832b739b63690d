#include "common/kafka/messages/fetch.h"

#include <utility>

#include "broker/kafka/handlers/handlers.h"
#include "broker/kafka/rights.h"
#include "broker/replication/fetch_service.h"

namespace tidemark::server {

void HandleFetch(RequestContext context, kafka::FetchRequest request,
                 Reply<kafka::FetchResponse> reply) {
  replication::FetchCall call;
  call.version = context.version;
  call.listener = context.listener;
  call.on = context.executor;
  call.cancellation = context.cancellation;
  call.memory = context.memory;
  // A follower, of whom the guard has asked for its own right, reads whatever
  // it follows.
  const bool follows =
      request.replica_id >= 0 || request.replica_state.replica_id >= 0;
  if (context.rights != nullptr && !follows) {
    // Rules may be of an address.
    call.asker = context.principal + ' ' + context.client_host;
    call.may_read = [rights = context.rights](const metadata::Image& image,
                                              const std::string& topic) {
      return rights->MayOn(image, AclOperation::kRead, AclResource::kTopic,
                           topic, Rights::Audit::kYes);
    };
  }
  context.services->fetch->Fetch(std::move(call), std::move(request),
                                 std::move(reply));
}

}  // namespace tidemark::server
