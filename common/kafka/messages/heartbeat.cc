#include "common/kafka/messages/heartbeat.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<HeartbeatRequest>;
template struct MessageCodec<HeartbeatResponse>;

}  // namespace tidemark::kafka
