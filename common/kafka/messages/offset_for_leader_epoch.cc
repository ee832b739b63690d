#include "common/kafka/messages/offset_for_leader_epoch.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<OffsetForLeaderEpochRequest>;
template struct MessageCodec<OffsetForLeaderEpochResponse>;

}  // namespace tidemark::kafka
