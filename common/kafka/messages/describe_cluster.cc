#include "common/kafka/messages/describe_cluster.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeClusterRequest>;
template struct MessageCodec<DescribeClusterResponse>;

}  // namespace tidemark::kafka
