#include "common/kafka/messages/list_offsets.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ListOffsetsRequest>;
template struct MessageCodec<ListOffsetsResponse>;

}  // namespace tidemark::kafka
