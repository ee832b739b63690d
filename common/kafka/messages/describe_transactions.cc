#include "common/kafka/messages/describe_transactions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeTransactionsRequest>;
template struct MessageCodec<DescribeTransactionsResponse>;

}  // namespace tidemark::kafka
