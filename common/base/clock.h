#pragma once

#include <chrono>
#include <cstdint>

namespace tidemark {

// Timers and time-outs use Instant, the steady clock, which no operator can
// set back. Wall-clock milliseconds appear only as record timestamps.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

// Milliseconds of a setting or a request. Values that a Duration does not hold
// ("never" is INT64_MAX in Kafka's files) become about a century, so that the
// sum with any Instant is one.
constexpr Duration MillisecondsOf(int64_t ms) {
  constexpr int64_t kCentury = int64_t{100} * 365 * 24 * 3600 * 1000;
  return std::chrono::milliseconds(
      ms > kCentury ? kCentury : (ms < -kCentury ? -kCentury : ms));
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual int64_t WallMs() const = 0;
};

// The machine's clocks. Any thread.
const Clock& SystemClock();

}  // namespace tidemark
