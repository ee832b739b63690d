#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/executor.h"

namespace tidemark::replication {

// Many cancellable deadlines on one executor with few of its timers: one is
// armed for the earliest deadline, and none while there are no deadlines.
//
// Used and destroyed on the executor's thread; a timer that is still armed
// then does nothing.
class DeadlineQueue {
 public:
  using Key = std::pair<Instant, uint64_t>;

  explicit DeadlineQueue(Executor& executor)
      : executor_(executor), alive_(std::make_shared<bool>(true)) {}
  ~DeadlineQueue() { *alive_ = false; }
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  Key Add(Instant deadline, std::function<void()> expired) {
    const Key key{deadline, next_id_++};
    queue_.emplace(key, std::move(expired));
    Arm();
    return key;
  }
  void Cancel(const Key& key) { queue_.erase(key); }
  size_t size() const { return queue_.size(); }

 private:
  void Arm() {
    if (queue_.empty()) return;
    const Instant first = queue_.begin()->first.first;
    if (armed_ && *armed_ <= first) return;
    armed_ = first;
    const Duration delay = std::max(Duration::zero(), first - executor_.Now());
    executor_.PostAfter(delay, [this, alive = alive_, first] {
      if (*alive) Expire(first);
    });
  }

  void Expire(Instant armed) {
    if (armed_ == armed) armed_.reset();
    const Instant now = executor_.Now();
    while (!queue_.empty() && queue_.begin()->first.first <= now) {
      auto expired = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      expired();
    }
    Arm();
  }

  Executor& executor_;
  std::shared_ptr<bool> alive_;
  std::map<Key, std::function<void()>> queue_;
  uint64_t next_id_ = 0;
  std::optional<Instant> armed_;
};

}  // namespace tidemark::replication
