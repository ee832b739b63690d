#include "common/kafka/messages/write_txn_markers.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<WriteTxnMarkersRequest>;
template struct MessageCodec<WriteTxnMarkersResponse>;

}  // namespace tidemark::kafka
