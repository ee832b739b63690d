#include "common/kafka/messages/find_coordinator.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<FindCoordinatorRequest>;
template struct MessageCodec<FindCoordinatorResponse>;

}  // namespace tidemark::kafka
