#include "common/kafka/messages/create_partitions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<CreatePartitionsRequest>;
template struct MessageCodec<CreatePartitionsResponse>;

}  // namespace tidemark::kafka
