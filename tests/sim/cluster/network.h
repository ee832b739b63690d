#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "tests/sim/threads/scheduler.h"

namespace tidemark::sim {

// Which node reaches which, and how late. Controllers have the ids 101 to 103,
// clients 201 and up.
class Network {
 public:
  explicit Network(Scheduler& scheduler) : scheduler_(scheduler) {}

  bool Reaches(NodeId from, NodeId to) const {
    return from == to || !cut_.contains({from, to});
  }
  // One way.
  void Cut(NodeId from, NodeId to) { cut_.insert({from, to}); }
  void Mend(NodeId from, NodeId to) { cut_.erase({from, to}); }
  void MendAll() { cut_.clear(); }
  void SetSlow(bool slow) { slow_ = slow; }

  Duration Delay() {
    if (slow_ && scheduler_.Chance(100)) {
      return scheduler_.Between(std::chrono::milliseconds(1),
                                std::chrono::milliseconds(300));
    }
    return scheduler_.Between(std::chrono::microseconds(30),
                              std::chrono::microseconds(700));
  }

  // Runs `arrives` later, on no thread; never when the way is cut by then.
  void Send(NodeId from, NodeId to, std::function<void()> arrives) {
    if (!Reaches(from, to)) return;
    scheduler_.After(Delay(), [this, from, to, arrives = std::move(arrives)] {
      if (Reaches(from, to)) arrives();
    });
  }
  Scheduler& scheduler() { return scheduler_; }

  // A follower asks its leader. Whatever happens, it does not do so in circles.
  void CountFetch(NodeId from, NodeId to) {
    auto& [second, count] = fetches_[{from, to}];
    const int64_t now = scheduler_.Now().time_since_epoch() / kWindow;
    if (std::exchange(second, now) != now) count = 0;
    if (++count == kFlood && on_flood) {
      on_flood("broker " + std::to_string(from) + " fetches from broker " +
               std::to_string(to) + " in circles");
    }
  }
  std::function<void(const std::string&)> on_flood;

 private:
  static constexpr Duration kWindow = std::chrono::seconds(1);
  static constexpr int kFlood =
      800;  // of one window; the most ever seen is 270
  Scheduler& scheduler_;
  std::map<std::pair<NodeId, NodeId>, std::pair<int64_t, int>> fetches_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  bool slow_ = false;
};

// One direction of a connection: what is sent arrives in order, or, once
// something was lost, not at all.
class Pipe {
 public:
  Pipe(Network& network, NodeId from, NodeId to)
      : network_(network), from_(from), to_(to) {}

  void Send(std::function<void()> arrives) {
    Scheduler& scheduler = network_.scheduler();
    if (!network_.Reaches(from_, to_)) broken_ = true;
    if (broken_) return;
    last_ = std::max(last_, scheduler.Now() + network_.Delay());
    scheduler.After(last_ - scheduler.Now(), std::move(arrives));
  }
  bool broken() const { return broken_; }

 private:
  Network& network_;
  const NodeId from_, to_;
  bool broken_ = false;
  Instant last_{};
};

}  // namespace tidemark::sim
