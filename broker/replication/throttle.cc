#include "broker/replication/throttle.h"

#include <algorithm>
#include <chrono>

namespace tidemark::replication {
namespace {

using Seconds = std::chrono::duration<double>;

// A rate of nothing would look for ever for an end of its waiting.
constexpr double kLongestWait = 60;

}  // namespace

void Throttle::SetRate(int64_t rate) {
  std::lock_guard lock(mutex_);
  if (rate == rate_) return;
  rate_ = rate;
  // What was owed at another rate is forgiven.
  allowed_ = 0;
}

void Throttle::Refill(Instant now) {
  const double rate = static_cast<double>(rate_);
  const double passed = Seconds(now - filled_).count();
  if (passed > 0) allowed_ = std::min(allowed_ + rate * passed, rate);
  filled_ = std::max(filled_, now);
}

void Throttle::Moved(size_t bytes, Instant now) {
  std::lock_guard lock(mutex_);
  if (rate_ == kUnlimited) return;
  Refill(now);
  allowed_ -= static_cast<double>(bytes);
}

Duration Throttle::Wait(Instant now) {
  std::lock_guard lock(mutex_);
  if (rate_ == kUnlimited) return Duration::zero();
  Refill(now);
  if (allowed_ > 0) return Duration::zero();
  // A little more than nothing, so that there is something to move then.
  const double missing = 1 - allowed_;
  const double wait =
      rate_ <= 0 ? kLongestWait
                 : std::min(missing / static_cast<double>(rate_), kLongestWait);
  return std::chrono::duration_cast<Duration>(Seconds(wait)) +
         std::chrono::milliseconds(1);
}

}  // namespace tidemark::replication
