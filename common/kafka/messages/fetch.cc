#include "common/kafka/messages/fetch.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<FetchRequest>;
template struct MessageCodec<FetchResponse>;

}  // namespace tidemark::kafka
