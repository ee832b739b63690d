#include "common/kafka/messages/delete_topics.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DeleteTopicsRequest>;
template struct MessageCodec<DeleteTopicsResponse>;

}  // namespace tidemark::kafka
