#include "common/kafka/messages/describe_groups.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeGroupsRequest>;
template struct MessageCodec<DescribeGroupsResponse>;

}  // namespace tidemark::kafka
