#pragma once

#include <functional>
#include <utility>

#include "common/base/clock.h"

namespace tidemark {

// One thread's queue of work: everything posted runs on that thread, one
// after the other, in the order posted. A state machine that belongs to an
// executor needs no lock. Production: io::EventLoop. Simulation: a queue on
// simulated time.
class Executor {
 public:
  using Task = std::function<void()>;

  virtual ~Executor() = default;

  // Any thread. Tasks still queued when the executor stops are destroyed
  // without being run.
  virtual void Post(Task task) = 0;

  // Any thread. Runs `task` once, no earlier than `delay` from now. There is
  // no cancel: a task checks on its own whether it is still wanted.
  virtual void PostAfter(Duration delay, Task task) = 0;

  // Whether the caller runs on it already; false is always a safe answer.
  virtual bool InThisThread() const { return false; }

  virtual Instant Now() const = 0;
  virtual int64_t WallMs() const = 0;
};

// Any thread. Runs `task` on `executor`: at once when the caller is there
// already, so the task may find the caller's frames on the stack.
template <class F>
void Dispatch(Executor& executor, F task) {
  if (executor.InThisThread()) {
    task();
  } else {
    executor.Post(std::move(task));
  }
}

}  // namespace tidemark
