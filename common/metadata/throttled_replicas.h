#pragma once

#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::metadata {

// Values of leader.replication.throttled.replicas and
// follower.replication.throttled.replicas (KIP-73): "*", or
// "partition:broker,partition:broker".

// kInvalidConfig, as Kafka says it.
Status CheckThrottledReplicas(std::string_view key, std::string_view value);

// Whether a value that is checked names the replica.
bool IsThrottledReplica(std::string_view value, PartitionIndex partition,
                        NodeId broker);

}  // namespace tidemark::metadata
