#include "common/kafka/messages/group_records.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<OffsetCommitKey>;
template struct MessageCodec<OffsetCommitValue>;
template struct MessageCodec<GroupMetadataKey>;
template struct MessageCodec<GroupMetadataValue>;

}  // namespace tidemark::kafka
