#include "common/kafka/messages/list_config_resources.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ListConfigResourcesRequest>;
template struct MessageCodec<ListConfigResourcesResponse>;

}  // namespace tidemark::kafka
