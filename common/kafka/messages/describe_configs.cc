#include "common/kafka/messages/describe_configs.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeConfigsRequest>;
template struct MessageCodec<DescribeConfigsResponse>;

}  // namespace tidemark::kafka
