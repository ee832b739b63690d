#include "common/kafka/messages/join_group.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<JoinGroupRequest>;
template struct MessageCodec<JoinGroupResponse>;

}  // namespace tidemark::kafka
