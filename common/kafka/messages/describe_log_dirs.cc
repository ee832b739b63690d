#include "common/kafka/messages/describe_log_dirs.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeLogDirsRequest>;
template struct MessageCodec<DescribeLogDirsResponse>;

}  // namespace tidemark::kafka
