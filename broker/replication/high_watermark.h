#pragma once

#include <optional>
#include <span>

#include "common/base/ids.h"

namespace tidemark::replication {

// The offset below which a leader may call records committed (B-02): the
// least of what it has flushed itself and of what every replica that counts
// has flushed. Those are the maximal ISR, and replicas outside of it that are
// caught up and could join at any moment (KAFKA-15021).
//
// nullopt: may not advance, because a replica that counts has not fetched in
// this leader epoch yet (-1 among `others`, B-22), or because the committed
// ISR is below min.insync.replicas (KIP-966).
std::optional<Offset> ComputeHighWatermark(Offset leader_flushed,
                                           std::span<const Offset> others,
                                           size_t committed_isr,
                                           size_t min_isr);

}  // namespace tidemark::replication
