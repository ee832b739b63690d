#include "controller/console/loop_watch.h"

#include <algorithm>

namespace tidemark::controller {
namespace {

constexpr Duration kInterval = std::chrono::milliseconds(100);

}  // namespace

struct LoopWatch::State {
  Executor* executor;
  std::atomic<Instant::rep> last;
  std::atomic<uint64_t> count = 0;
  std::atomic<Duration::rep> sum = 0, longest = 0;
};

LoopWatch::LoopWatch(Executor* executor)
    : state_(std::make_shared<State>(executor)) {
  const Instant now = executor->Now();
  state_->last = now.time_since_epoch().count();
  executor->Post([state = state_, now] { Turn(state, now); });
}

// Only the loop's thread writes.
void LoopWatch::Turn(const std::shared_ptr<State>& state, Instant due) {
  const Instant now = state->executor->Now();
  const Duration late = std::max(now - due, Duration());
  state->last = now.time_since_epoch().count();
  state->sum += late.count();
  state->longest = std::max(state->longest.load(), late.count());
  ++state->count;
  state->executor->PostAfter(
      kInterval, [weak = std::weak_ptr(state), due = now + kInterval] {
        if (auto state = weak.lock()) Turn(state, due);
      });
}

Duration LoopWatch::Silent() const {
  return state_->executor->Now() - Instant(Duration(state_->last.load()));
}

LoopWatch::Lag LoopWatch::lag() const {
  return {state_->count.load(), Duration(state_->sum.load()),
          Duration(state_->longest.load())};
}

}  // namespace tidemark::controller
