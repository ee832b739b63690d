#include "common/kafka/messages/create_topics.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<CreateTopicsRequest>;
template struct MessageCodec<CreateTopicsResponse>;

}  // namespace tidemark::kafka
