#include "common/kafka/messages/sync_group.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<SyncGroupRequest>;
template struct MessageCodec<SyncGroupResponse>;

}  // namespace tidemark::kafka
