#include "broker/replication/high_watermark.h"

#include <algorithm>

namespace tidemark::replication {

std::optional<Offset> ComputeHighWatermark(Offset leader_flushed,
                                           std::span<const Offset> others,
                                           size_t committed_isr,
                                           size_t min_isr) {
  if (committed_isr < min_isr) return std::nullopt;
  Offset least = leader_flushed;
  for (const Offset offset : others) {
    if (offset < 0) return std::nullopt;
    least = std::min(least, offset);
  }
  return least;
}

}  // namespace tidemark::replication
