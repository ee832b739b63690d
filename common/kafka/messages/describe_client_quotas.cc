#include "common/kafka/messages/describe_client_quotas.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeClientQuotasRequest>;
template struct MessageCodec<DescribeClientQuotasResponse>;

}  // namespace tidemark::kafka
