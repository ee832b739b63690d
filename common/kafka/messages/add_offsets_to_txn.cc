#include "common/kafka/messages/add_offsets_to_txn.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AddOffsetsToTxnRequest>;
template struct MessageCodec<AddOffsetsToTxnResponse>;

}  // namespace tidemark::kafka
