#pragma once

#include <functional>

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

  virtual Instant Now() const = 0;
  virtual int64_t WallMs() const = 0;
};

}  // namespace tidemark
