#include "common/kafka/messages/describe_quorum.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeQuorumRequest>;
template struct MessageCodec<DescribeQuorumResponse>;

}  // namespace tidemark::kafka
