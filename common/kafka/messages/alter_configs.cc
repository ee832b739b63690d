#include "common/kafka/messages/alter_configs.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AlterConfigsRequest>;
template struct MessageCodec<AlterConfigsResponse>;

}  // namespace tidemark::kafka
