#include "broker/replication/purgatory.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

uint64_t OffsetWaiters::Add(Offset needed, bool committed, Done done) {
  const uint64_t id = next_id_++;
  waiters_.emplace(needed, Waiter{id, committed, std::move(done), {}});
  return id;
}

void OffsetWaiters::SetDeadline(uint64_t id, DeadlineQueue::Key deadline) {
  // The newest is nearly always the one with the highest offset.
  for (auto it = waiters_.rbegin(); it != waiters_.rend(); ++it) {
    if (it->second.id != id) continue;
    it->second.deadline = deadline;
    return;
  }
}

std::vector<OffsetWaiters::Completed> OffsetWaiters::TakeReached(
    Offset flushed, Offset high_watermark, ErrorCode after_commit) {
  std::vector<Completed> completed;
  const Offset farthest = std::max(flushed, high_watermark);
  for (auto it = waiters_.begin();
       it != waiters_.end() && it->first <= farthest;) {
    Waiter& waiter = it->second;
    if (it->first > (waiter.committed ? high_watermark : flushed)) {
      ++it;
      continue;
    }
    completed.push_back({std::move(waiter.done),
                         waiter.committed ? after_commit : ErrorCode::kNone,
                         waiter.deadline});
    it = waiters_.erase(it);
  }
  return completed;
}

std::vector<OffsetWaiters::Completed> OffsetWaiters::TakeAll(ErrorCode error) {
  std::vector<Completed> completed;
  for (auto& [needed, waiter] : waiters_) {
    completed.push_back({std::move(waiter.done), error, waiter.deadline});
  }
  waiters_.clear();
  return completed;
}

std::optional<OffsetWaiters::Completed> OffsetWaiters::Take(uint64_t id,
                                                            ErrorCode error) {
  for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
    if (it->second.id != id) continue;
    Completed completed{std::move(it->second.done), error, it->second.deadline};
    waiters_.erase(it);
    return completed;
  }
  return std::nullopt;
}

}  // namespace tidemark::replication
