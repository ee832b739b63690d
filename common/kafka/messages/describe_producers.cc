#include "common/kafka/messages/describe_producers.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeProducersRequest>;
template struct MessageCodec<DescribeProducersResponse>;

}  // namespace tidemark::kafka
