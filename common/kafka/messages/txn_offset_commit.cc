#include "common/kafka/messages/txn_offset_commit.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<TxnOffsetCommitRequest>;
template struct MessageCodec<TxnOffsetCommitResponse>;

}  // namespace tidemark::kafka
