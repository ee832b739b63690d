#include "common/kafka/messages/list_transactions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ListTransactionsRequest>;
template struct MessageCodec<ListTransactionsResponse>;

}  // namespace tidemark::kafka
