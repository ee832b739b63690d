#include "common/kafka/messages/get_telemetry_subscriptions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<GetTelemetrySubscriptionsRequest>;
template struct MessageCodec<GetTelemetrySubscriptionsResponse>;

}  // namespace tidemark::kafka
