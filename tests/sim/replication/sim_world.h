#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace tidemark::replication {

// The clock, the queue of events and the chance of one simulation. Everything
// happens in At's order; the same seed gives the same run.
class SimWorld {
 public:
  using Event = std::function<void()>;

  explicit SimWorld(uint64_t seed) : random_(seed) {}

  Instant now() const { return now_; }
  int64_t WallMs() const {
    return 1'700'000'000'000 +
           now_.time_since_epoch() / std::chrono::milliseconds(1);
  }
  void After(Duration delay, Event event) {
    queue_.emplace(std::pair{now_ + delay, next_++}, std::move(event));
  }
  // Runs the next event if it is due before `end`.
  bool Step(Instant end) {
    if (queue_.empty() || queue_.begin()->first.first > end) {
      now_ = std::max(now_, end);
      return false;
    }
    now_ = queue_.begin()->first.first;
    Event event = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    event();
    return true;
  }

  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }
  bool Chance(int per_mille) { return Below(1000) < per_mille; }
  Duration Between(Duration low, Duration high) {
    return low + Duration(Below((high - low).count() + 1));
  }

  // The network between nodes; the controller is node 0. A message is lost or
  // arrives after a random time, so messages overtake each other.
  bool Connected(NodeId a, NodeId b) const {
    return !cut.contains({std::min(a, b), std::max(a, b)});
  }
  void Message(NodeId from, NodeId to, Event arrives) {
    if (!Connected(from, to) || Chance(lossy ? 30 : 0)) return;
    Duration delay =
        Between(std::chrono::microseconds(100), std::chrono::milliseconds(2));
    if (lossy && Chance(20)) {
      delay += Between(Duration::zero(), std::chrono::milliseconds(400));
    }
    After(delay, std::move(arrives));
  }

  std::set<std::pair<NodeId, NodeId>> cut;  // smaller id first
  bool lossy = true;

 private:
  std::mt19937_64 random_;
  Instant now_{std::chrono::hours(1)};
  uint64_t next_ = 0;
  std::map<std::pair<Instant, uint64_t>, Event> queue_;
};

}  // namespace tidemark::replication
