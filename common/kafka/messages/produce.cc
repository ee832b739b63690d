#include "common/kafka/messages/produce.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ProduceRequest>;
template struct MessageCodec<ProduceResponse>;

}  // namespace tidemark::kafka
