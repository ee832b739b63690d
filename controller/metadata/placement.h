#pragma once

#include <functional>
#include <vector>

#include "common/base/result.h"
#include "common/metadata/image.h"

namespace tidemark::controller {

// A number from 0 to bound - 1; the only source of chance in placement.
using RandomBelow = std::function<size_t(size_t bound)>;

// Spreads replicas over racks and brokers in stripes (C-20):
//  - no two replicas of a partition on one broker;
//  - different racks while there are enough of them;
//  - the first replica, which will lead, on an unfenced broker, and every
//    unfenced broker first as often as the others of its rack, +-1;
//  - fenced brokers only when the rack has no unfenced one left; brokers that
//    are shutting down never.
// Order is random, so that small topics do not all start on one broker.
Result<std::vector<std::vector<NodeId>>> PlaceReplicas(
    const metadata::Image& state, size_t partitions, size_t replication_factor,
    const RandomBelow& random, const std::vector<NodeId>* leaving = nullptr);

}  // namespace tidemark::controller
