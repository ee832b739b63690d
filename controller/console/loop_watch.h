#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/base/executor.h"

namespace tidemark::controller {

// Watches an event loop by a task that it is given ten times a second: how late
// the task runs is what everything else on the loop waits too. The tasks end
// with the watch or the executor; questions from any thread, never waiting.
class LoopWatch {
 public:
  explicit LoopWatch(Executor* executor);

  // Since the task last ran. A loop that is stuck does not get to it.
  Duration Silent() const;

  struct Lag {
    uint64_t count = 0;  // turns looked at
    Duration sum{}, longest{};
  };
  Lag lag() const;

 private:
  struct State;
  static void Turn(const std::shared_ptr<State>& state, Instant due);
  std::shared_ptr<State> state_;
};

}  // namespace tidemark::controller
