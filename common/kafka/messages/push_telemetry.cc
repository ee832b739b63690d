#include "common/kafka/messages/push_telemetry.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<PushTelemetryRequest>;
template struct MessageCodec<PushTelemetryResponse>;

}  // namespace tidemark::kafka
