#include "common/kafka/messages/push_telemetry.h"

#include "broker/kafka/client_telemetry.h"
#include "broker/kafka/handlers/telemetry_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {

void HandlePushTelemetry(RequestContext context,
                         kafka::PushTelemetryRequest request,
                         Reply<kafka::PushTelemetryResponse> reply) {
  ClientTelemetry::Push push;
  push.instance = request.client_instance_id;
  push.subscription = request.subscription_id;
  push.terminating = request.terminating;
  push.compression = request.compression_type;
  push.metrics = request.metrics.view();
  const Status taken = context.services->telemetry->Take(
      ClientOf(context), push, *context.services->metadata->Get(),
      context.executor->Now());
  kafka::PushTelemetryResponse response;
  if (!taken) response.error_code = static_cast<int16_t>(taken.error().code);
  reply(std::move(response));
}

}  // namespace tidemark::server
