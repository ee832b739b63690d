#include "common/kafka/messages/list_partition_reassignments.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ListPartitionReassignmentsRequest>;
template struct MessageCodec<ListPartitionReassignmentsResponse>;

}  // namespace tidemark::kafka
