#include "broker/replication/follower_state.h"

#include <algorithm>

namespace tidemark::replication {

void FollowerState::Fetched(Offset fetch_offset, Offset flushed_offset,
                            BrokerEpoch broker_epoch, Offset leader_end,
                            Instant now) {
  if (broker_epoch > broker_epoch_) {
    // Another life of the process: what it had in memory is gone.
    broker_epoch_ = broker_epoch;
    start_offset_ = -1;
    end_offset_ = -1;
    flushed_offset_ = -1;
    mark_ = -1;
  }
  const Offset flushed = std::min(flushed_offset, fetch_offset);
  end_offset_ = std::max(end_offset_, fetch_offset);
  flushed_offset_ = std::max(flushed_offset_, flushed);
  if (flushed_offset_ >= leader_end) {
    last_caught_up_ = std::max(last_caught_up_, now);
    mark_ = -1;
    return;
  }
  if (mark_ >= 0 && flushed_offset_ >= mark_) {
    last_caught_up_ = std::max(last_caught_up_, mark_at_);
    mark_ = -1;
  }
  if (mark_ < 0) {
    mark_ = leader_end;
    mark_at_ = now;
  }
}

bool FollowerState::CaughtUp(Offset leader_end, Instant now,
                             Duration lag_max) const {
  return flushed_offset_ >= leader_end || now - last_caught_up_ <= lag_max;
}

}  // namespace tidemark::replication
