#include "common/kafka/messages/list_groups.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ListGroupsRequest>;
template struct MessageCodec<ListGroupsResponse>;

}  // namespace tidemark::kafka
