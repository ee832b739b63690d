#include "common/kafka/messages/describe_topic_partitions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DescribeTopicPartitionsRequest>;
template struct MessageCodec<DescribeTopicPartitionsResponse>;

}  // namespace tidemark::kafka
