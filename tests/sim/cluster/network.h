#pragma once

#include <functional>
#include <set>
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

 private:
  Scheduler& scheduler_;
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
