#pragma once

#include <chrono>
#include <cstdint>

namespace tidemark {

// Timers and time-outs use Instant, the steady clock, which no operator can
// set back. Wall-clock milliseconds appear only as record timestamps.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual int64_t WallMs() const = 0;
};

// The machine's clocks. Any thread.
const Clock& SystemClock();

}  // namespace tidemark
