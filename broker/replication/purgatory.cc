#include "broker/replication/purgatory.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

uint64_t ProduceQueue::Add(Offset needed, bool committed, Done done) {
  const uint64_t id = next_id_++;
  waiters_.emplace(needed, Waiter{id, committed, std::move(done), {}});
  return id;
}

void ProduceQueue::SetDeadline(uint64_t id, DeadlineQueue::Key deadline) {
  // The newest is nearly always the one with the highest offset.
  for (auto it = waiters_.rbegin(); it != waiters_.rend(); ++it) {
    if (it->second.id != id) continue;
    it->second.deadline = deadline;
    return;
  }
}

std::vector<ProduceQueue::Completed> ProduceQueue::TakeReached(
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

std::vector<ProduceQueue::Completed> ProduceQueue::TakeAll(ErrorCode error) {
  std::vector<Completed> completed;
  for (auto& [needed, waiter] : waiters_) {
    completed.push_back({std::move(waiter.done), error, waiter.deadline});
  }
  waiters_.clear();
  return completed;
}

std::optional<ProduceQueue::Completed> ProduceQueue::Take(uint64_t id,
                                                          ErrorCode error) {
  for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
    if (it->second.id != id) continue;
    Completed completed{std::move(it->second.done), error, it->second.deadline};
    waiters_.erase(it);
    return completed;
  }
  return std::nullopt;
}

void FetchWatches::Add(uint64_t fetcher, std::weak_ptr<FetchWaiter> waiter,
                       bool follower, Offset limit,
                       const Partition& partition) {
  Watch watch{
      fetcher, std::move(waiter), follower, limit,
      follower ? partition.appended_bytes() : partition.committed_bytes()};
  for (Watch& other : watches_) {
    if (other.fetcher == fetcher || other.waiter.expired()) {
      other = std::move(watch);
      return;
    }
  }
  watches_.push_back(std::move(watch));
}

void FetchWatches::Moved(const Partition& partition) {
  std::erase_if(watches_, [&](Watch& watch) {
    const auto waiter = watch.waiter.lock();
    if (waiter == nullptr) return true;
    const Offset limit = watch.follower ? partition.log().end_offset()
                                        : partition.high_watermark();
    if (limit <= watch.limit) return false;
    watch.limit = limit;
    const uint64_t bytes = watch.follower ? partition.appended_bytes()
                                          : partition.committed_bytes();
    // At least one: records from before this process count for nothing.
    waiter->Grown(
        std::max<int64_t>(static_cast<int64_t>(bytes - watch.bytes), 1));
    watch.bytes = bytes;
    return false;
  });
}

void FetchWatches::WakeAll() {
  for (const Watch& watch : watches_) {
    if (const auto waiter = watch.waiter.lock()) waiter->Wake();
  }
  watches_.clear();
}

}  // namespace tidemark::replication
