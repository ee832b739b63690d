#include "common/kafka/messages/init_producer_id.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<InitProducerIdRequest>;
template struct MessageCodec<InitProducerIdResponse>;

}  // namespace tidemark::kafka
