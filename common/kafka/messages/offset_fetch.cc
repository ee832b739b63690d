#include "common/kafka/messages/offset_fetch.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<OffsetFetchRequest>;
template struct MessageCodec<OffsetFetchResponse>;

}  // namespace tidemark::kafka
