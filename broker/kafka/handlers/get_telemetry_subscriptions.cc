#include "common/kafka/messages/get_telemetry_subscriptions.h"

#include "broker/kafka/client_telemetry.h"
#include "broker/kafka/handlers/telemetry_common.h"
#include "broker/metadata/image_holder.h"
#include "common/record/batch_header.h"

namespace tidemark::server {

void HandleGetTelemetrySubscriptions(
    RequestContext context, kafka::GetTelemetrySubscriptionsRequest request,
    Reply<kafka::GetTelemetrySubscriptionsResponse> reply) {
  using enum record::Codec;
  kafka::GetTelemetrySubscriptionsResponse response;
  ClientTelemetry& telemetry = *context.services->telemetry;
  const auto wanted = telemetry.Subscribe(
      ClientOf(context), request.client_instance_id,
      *context.services->metadata->Get(), context.executor->Now());
  if (!wanted) {
    response.error_code = static_cast<int16_t>(wanted.error().code);
    return reply(std::move(response));
  }
  response.client_instance_id = wanted->instance;
  response.subscription_id = wanted->id;
  for (const auto codec : {kZstd, kLz4, kGzip, kSnappy}) {
    response.accepted_compression_types.push_back(static_cast<int8_t>(codec));
  }
  response.push_interval_ms =
      static_cast<int32_t>(wanted->interval / std::chrono::milliseconds(1));
  response.telemetry_max_bytes = static_cast<int32_t>(telemetry.max_bytes());
  response.delta_temporality = true;
  response.requested_metrics = wanted->metrics;
  reply(std::move(response));
}

}  // namespace tidemark::server
