#pragma once

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace tidemark::replication {

// What a leader knows of one follower, all of it learned in the current
// leader epoch (B-22): a new epoch starts with a new value.
//
// Lag is measured on flushed offsets: a follower whose disk hangs while its
// memory keeps up must leave the ISR, or the high watermark would wait for it
// for ever. A mark (the leader's end at some instant) is taken; when the
// follower has flushed past it, it was caught up as of that instant, and a new
// mark is taken (B-18).
//
// Pure value.
class FollowerState {
 public:
  FollowerState() = default;
  // `caught_up_at`: now for a member of the ISR, the epoch of the clock for
  // the others.
  explicit FollowerState(Instant caught_up_at)
      : last_caught_up_(caught_up_at) {}

  // A fetch of the current epoch that does not diverge. A lower offset than
  // known is from a fetch overtaken by a later one and changes nothing, unless
  // the follower has restarted in between (newer `broker_epoch`).
  void Fetched(Offset fetch_offset, Offset flushed_offset,
               BrokerEpoch broker_epoch, Offset leader_end, Instant now);

  // The leader's log grew beyond `end_before`. A follower that had all of it
  // was caught up when its session last came (B-18): that is when an idle
  // partition, of which a session says nothing, was last seen.
  void LeaderAppended(Offset end_before, Instant contact) {
    if (flushed_offset_ >= end_before) {
      last_caught_up_ = std::max(last_caught_up_, contact);
    }
  }

  // Where its log starts, as it says with a fetch; -1: it has not said yet.
  void StartsAt(Offset start_offset) {
    start_offset_ = std::max(start_offset_, start_offset);
  }
  Offset start_offset() const { return start_offset_; }

  // -1: has not fetched in this epoch.
  Offset end_offset() const { return end_offset_; }
  Offset flushed_offset() const { return flushed_offset_; }
  // -1: not told.
  BrokerEpoch broker_epoch() const { return broker_epoch_; }
  bool CaughtUp(Offset leader_end, Instant now, Duration lag_max) const;

 private:
  Offset start_offset_ = -1;
  Offset end_offset_ = -1;
  Offset flushed_offset_ = -1;
  BrokerEpoch broker_epoch_ = -1;
  Instant last_caught_up_{};
  Offset mark_ = -1;
  Instant mark_at_{};
};

}  // namespace tidemark::replication
