#include "common/kafka/messages/describe_user_scram_credentials.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeUserScramCredentialsRequest>;
template struct MessageCodec<DescribeUserScramCredentialsResponse>;

}  // namespace tidemark::kafka
