#include "common/kafka/messages/alter_partition_reassignments.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AlterPartitionReassignmentsRequest>;
template struct MessageCodec<AlterPartitionReassignmentsResponse>;

}  // namespace tidemark::kafka
