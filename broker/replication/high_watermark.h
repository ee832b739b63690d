#pragma once

#include <algorithm>
#include <optional>

#include "common/base/ids.h"

namespace tidemark::replication {

// The offset below which a leader may call records committed (B-02): the
// least of what it has flushed itself and of what every replica that counts
// has flushed. Those are the maximal ISR, and replicas outside of it that are
// caught up and could join at any moment (KAFKA-15021).
class HighWatermarkRule {
 public:
  // `may_commit`: the committed ISR is large enough (KIP-966).
  HighWatermarkRule(Offset leader_flushed, bool may_commit)
      : least_(leader_flushed), may_advance_(may_commit) {}

  // The flushed offset of another replica that counts.
  void Count(Offset flushed) {
    if (flushed < 0) may_advance_ = false;
    least_ = std::min(least_, flushed);
  }

  // nullopt: may not advance, because a replica that counts has not fetched in
  // this leader epoch yet (-1, B-22), or because the ISR is too small.
  std::optional<Offset> Result() const {
    if (!may_advance_) return std::nullopt;
    return least_;
  }

 private:
  Offset least_;
  bool may_advance_;
};

}  // namespace tidemark::replication
