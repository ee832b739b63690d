#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/replication/deadline_queue.h"
#include "common/base/error_code.h"
#include "common/base/executor.h"
#include "common/base/ids.h"

namespace tidemark::replication {

// Those who wait for offsets of one partition: produces for the high watermark
// (acks=-1) or the leader's own disk (acks=1), deletions of records for the low
// watermark.
//
// One thread, the partition's. Completing never calls back: the waiters that
// are done are handed out, and the caller runs them when no partition is on
// its stack (KAFKA-13254).
class OffsetWaiters {
 public:
  using Done = std::function<void(ErrorCode)>;
  struct Completed {
    Done done;
    ErrorCode error = ErrorCode::kNone;
    std::optional<DeadlineQueue::Key> deadline;  // to cancel
  };

  // Waits until everything below `needed` is committed or, when not
  // `committed`, flushed by the leader. Returns the waiter's id.
  uint64_t Add(Offset needed, bool committed, Done done);
  void SetDeadline(uint64_t id, DeadlineQueue::Key deadline);
  // Those that the offsets have passed, in order. `after_commit`: what
  // Partition::CheckAfterCommit says, for those with acks=-1.
  std::vector<Completed> TakeReached(Offset flushed, Offset high_watermark,
                                     ErrorCode after_commit);
  std::vector<Completed> TakeAll(ErrorCode error);
  std::optional<Completed> Take(uint64_t id, ErrorCode error);
  bool empty() const { return waiters_.empty(); }
  size_t size() const { return waiters_.size(); }

 private:
  struct Waiter {
    uint64_t id = 0;
    bool committed = true;
    Done done;
    std::optional<DeadlineQueue::Key> deadline;
  };
  std::multimap<Offset, Waiter> waiters_;  // by needed offset
  uint64_t next_id_ = 1;
};

// A parked fetch, told by any shard that there may be something for it. Runs
// `wake` on its executor, at most once.
class FetchWaiter {
 public:
  FetchWaiter(Executor& on, int64_t missing_bytes, std::function<void()> wake)
      : on_(on), missing_(missing_bytes), wake_(std::move(wake)) {}

  // Any thread. `bytes` were there when a shard looked. Whoever gathers the
  // looks sees what they sum up to; only growth beside them is news.
  void Found(int64_t bytes) {
    if (missing_.fetch_sub(bytes) - bytes <= 0 && grown_) Wake();
  }
  // Any thread. About `bytes` more can be read.
  void Grown(int64_t bytes) {
    grown_ = true;
    if (missing_.fetch_sub(bytes) - bytes <= 0) Wake();
  }
  // Any thread. Something other than data: an error to report.
  void Wake() {
    if (!woken_.exchange(true)) on_.Post(wake_);
  }

 private:
  Executor& on_;
  std::atomic<int64_t> missing_;
  std::atomic<bool> grown_{false};
  std::atomic<bool> woken_{false};
  const std::function<void()> wake_;
};

}  // namespace tidemark::replication
