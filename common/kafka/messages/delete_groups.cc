#include "common/kafka/messages/delete_groups.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DeleteGroupsRequest>;
template struct MessageCodec<DeleteGroupsResponse>;

}  // namespace tidemark::kafka
