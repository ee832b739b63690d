#include "common/kafka/messages/incremental_alter_configs.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<IncrementalAlterConfigsRequest>;
template struct MessageCodec<IncrementalAlterConfigsResponse>;

}  // namespace tidemark::kafka
