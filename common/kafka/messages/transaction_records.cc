#include "common/kafka/messages/transaction_records.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<TransactionLogKey>;
template struct MessageCodec<TransactionLogValue>;

}  // namespace tidemark::kafka
