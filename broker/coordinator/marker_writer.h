#pragma once

#include <functional>
#include <vector>

#include "broker/coordinator/group_coordinator.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::coordinator {

// Writes the markers of partitions that this broker leads: those of
// __consumer_offsets through the coordinators that they mean something to.
// `done` once on `on`, with the errors in the order of `items`.
void WriteMarkersHere(replication::ReplicaManager& replicas,
                      GroupCoordinator& groups,
                      std::vector<replication::MarkerItem> items,
                      Duration timeout, Executor& on,
                      std::function<void(std::vector<ErrorCode>)> done);

}  // namespace tidemark::coordinator
