#pragma once

#include <map>
#include <utility>

#include "common/base/dispatch.h"

namespace tidemark::replication {

// An executor whose clock the test moves. Everything runs in RunUntil.
class ManualExecutor final : public Executor {
 public:
  ManualExecutor() { current_executor = this; }
  ~ManualExecutor() override { current_executor = nullptr; }

  void Post(Task task) override {
    PostAfter(Duration::zero(), std::move(task));
  }
  void PostAfter(Duration delay, Task task) override {
    queue_.emplace(std::pair{now_ + delay, next_++}, std::move(task));
  }
  Instant Now() const override { return now_; }
  int64_t WallMs() const override {
    return 1'000'000 + now_.time_since_epoch() / std::chrono::milliseconds(1);
  }

  // Runs everything that is due within `span` from now, in order.
  void RunFor(Duration span) {
    const Instant end = now_ + span;
    while (!queue_.empty() && queue_.begin()->first.first <= end) {
      now_ = std::max(now_, queue_.begin()->first.first);
      Task task = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      task();
    }
    now_ = end;
  }
  // Everything posted without delay, and what that posts.
  void Drain() { RunFor(Duration::zero()); }
  size_t waiting() const { return queue_.size(); }
  // Nothing that waits will run, as when a process ends.
  void DropAll() {
    // What a task holds may post once more when it goes.
    while (!queue_.empty()) auto dropped = queue_.extract(queue_.begin());
  }

 private:
  Instant now_{std::chrono::hours(1)};
  uint64_t next_ = 0;
  std::map<std::pair<Instant, uint64_t>, Task> queue_;
};

}  // namespace tidemark::replication
