#pragma once

#include <deque>
#include <memory>

#include "common/base/executor.h"
#include "tests/sim/quorum/timeline.h"

namespace tidemark::sim {

// The event loop of one life of a process, on simulated time: its clock may run
// faster or slower than the others', it may be stopped for a while, and it ends
// at any moment. Each task is one event of the simulation.
class Loop final : public Executor {
 public:
  // `rate`: how fast its clock runs. `turn_us`: what a look at the clock takes
  // at most, for a processor that is too slow for its work. `wait_us`: what a
  // task that is posted waits at most.
  Loop(Timeline& timeline, double rate, uint64_t turn_us,
       uint64_t wait_us = 500);

  void Post(Task task) override;
  void PostAfter(Duration delay, Task task) override;
  Instant Now() const override;
  int64_t WallMs() const override;

  // Something came from outside: its turn is now, unless others wait.
  void Arrive(Task task);
  void Pause(uint64_t us);
  bool paused() const { return paused_; }
  // Something is done in the name of this process, `delay_us` of the others'
  // time from now, if it is there then.
  void After(uint64_t delay_us, Task task);

 private:
  void Schedule(uint64_t delay_us);
  void RunOne();

  Timeline& timeline_;
  const double rate_;
  const uint64_t turn_us_, wait_us_;
  std::deque<Task> ready_;
  bool scheduled_ = false, paused_ = false;
  mutable int64_t now_us_ = 0;   // as its clock said last
  std::shared_ptr<Loop*> self_;  // what events hold weakly
};

}  // namespace tidemark::sim
