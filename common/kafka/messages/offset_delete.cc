#include "common/kafka/messages/offset_delete.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<OffsetDeleteRequest>;
template struct MessageCodec<OffsetDeleteResponse>;

}  // namespace tidemark::kafka
