#include "common/kafka/messages/offset_commit.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<OffsetCommitRequest>;
template struct MessageCodec<OffsetCommitResponse>;

}  // namespace tidemark::kafka
