#pragma once

#include <cstdint>
#include <limits>
#include <mutex>

#include "common/base/clock.h"

namespace tidemark::replication {

// How fast a broker moves the partitions that are throttled (KIP-73), in one
// direction: what its leaders send to followers that are not in sync, or what
// its followers fetch as such. What is moved is counted when it has been, so a
// single answer may go beyond what is allowed; then nothing is moved until the
// rate has caught up. Up to a second's worth that was not used may be used at
// once.
//
// Shared by the shards. Any thread; `now` of one monotonic clock.
class Throttle {
 public:
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

  // Bytes per second.
  void SetRate(int64_t rate);
  void Moved(size_t bytes, Instant now);
  // How long nothing may be moved yet; zero: something may.
  Duration Wait(Instant now);

 private:
  void Refill(Instant now);

  std::mutex mutex_;
  int64_t rate_ = kUnlimited;
  double allowed_ = 0;  // below zero: that much has gone too early
  Instant filled_{};
};

}  // namespace tidemark::replication
