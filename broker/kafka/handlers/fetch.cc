#include "common/kafka/messages/fetch.h"

#include <utility>

#include "broker/kafka/handlers/handlers.h"
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
  context.services->fetch->Fetch(std::move(call), std::move(request),
                                 std::move(reply));
}

}  // namespace tidemark::server
