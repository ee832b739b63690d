#include "common/kafka/messages/describe_acls.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeAclsRequest>;
template struct MessageCodec<DescribeAclsResponse>;

}  // namespace tidemark::kafka
