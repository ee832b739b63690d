#include "common/kafka/messages/end_txn.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<EndTxnRequest>;
template struct MessageCodec<EndTxnResponse>;

}  // namespace tidemark::kafka
