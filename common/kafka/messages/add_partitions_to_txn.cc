#include "common/kafka/messages/add_partitions_to_txn.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AddPartitionsToTxnRequest>;
template struct MessageCodec<AddPartitionsToTxnResponse>;

}  // namespace tidemark::kafka
