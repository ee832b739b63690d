#include "common/kafka/messages/elect_leaders.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ElectLeadersRequest>;
template struct MessageCodec<ElectLeadersResponse>;

}  // namespace tidemark::kafka
