#include "tests/sim/quorum/loop.h"

namespace tidemark::sim {

Loop::Loop(Timeline& timeline, double rate, uint64_t turn_us, uint64_t wait_us)
    : timeline_(timeline),
      rate_(rate),
      turn_us_(turn_us),
      wait_us_(wait_us),
      self_(std::make_shared<Loop*>(this)) {}

void Loop::After(uint64_t delay_us, Task task) {
  timeline_.At(delay_us, [weak = std::weak_ptr(self_), task = std::move(task)] {
    if (auto self = weak.lock()) task();
  });
}

void Loop::Post(Task task) {
  ready_.push_back(std::move(task));
  Schedule(timeline_.random.Below(wait_us_));
}

void Loop::PostAfter(Duration delay, Task task) {
  const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
  const auto late = static_cast<int64_t>(timeline_.random.Below(500));
  const auto real = static_cast<int64_t>(static_cast<double>(us) / rate_);
  After(static_cast<uint64_t>(std::max<int64_t>(0, real + late)),
        [this, task = std::move(task)]() mutable { Arrive(std::move(task)); });
}

void Loop::Arrive(Task task) {
  if (paused_ || scheduled_) {
    ready_.push_back(std::move(task));
    return;
  }
  task();
}

void Loop::Pause(uint64_t us) {
  if (paused_) return;
  paused_ = true;
  After(us, [this] {
    paused_ = false;
    if (!ready_.empty()) Schedule(0);
  });
}

void Loop::Schedule(uint64_t delay_us) {
  if (scheduled_ || paused_) return;
  scheduled_ = true;
  After(delay_us, [this] { RunOne(); });
}

void Loop::RunOne() {
  scheduled_ = false;
  if (paused_ || ready_.empty()) return;
  Task task = std::move(ready_.front());
  ready_.pop_front();
  // What is left comes next, before anything that arrives.
  if (!ready_.empty()) Schedule(timeline_.random.Below(20));
  task();
}

Instant Loop::Now() const {
  const auto now =
      static_cast<int64_t>(static_cast<double>(timeline_.now()) * rate_);
  now_us_ = std::max(now_us_, now);
  if (turn_us_ > 0)
    now_us_ += static_cast<int64_t>(timeline_.random.Below(turn_us_));
  return Instant{std::chrono::microseconds(now_us_)};
}

int64_t Loop::WallMs() const { return now_us_ / 1000; }

}  // namespace tidemark::sim
