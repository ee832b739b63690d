#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/service/controller.h"
#include "tests/sim/cluster/network.h"

namespace tidemark::sim {

inline constexpr NodeId kFirstController = 101;
inline constexpr int kControllers = 3;
inline constexpr char kClusterId[] = "simulated";

// Ids that the seed decides.
Uuid RandomUuid(Scheduler& scheduler);

// Three production controllers (deciders, liveness, feed) on a quorum that is
// one log in memory: what is proposed is committed a little later, everywhere
// later still, while most of them live. When the active one changes, of what it
// had proposed a part is committed, and it never learns how much. One that was
// killed starts with a snapshot of its own, if it has one, and the log.
class Controllers {
 public:
  // `transactions`: brokers take part in them.
  Controllers(Scheduler& scheduler, bool transactions);
  ~Controllers();
  void Stop();

  // REQUIRES: it lives.
  controller::Controller& at(NodeId id);
  SimExecutor& executor(NodeId id);
  // Which of its lives; 0: it is dead.
  uint64_t life(NodeId id);
  NodeId active() const { return leader_; }
  // The state after everything committed.
  metadata::ImagePtr image() const { return committed_; }

  // Another becomes active after `gap`. The one that was may hear of it late:
  // it is paused for so long.
  void Change(Duration gap, Duration paused = {});
  // By a thread. It dies, and starts again after `down`. When it was active,
  // another is after `gap`, if two of three live.
  void Crash(NodeId id, Duration down, Duration gap);
  // Told of every death, in this order.
  std::vector<std::pair<const void*, std::function<void(NodeId)>>> on_death;
  // Told of every committed state, before any broker.
  std::function<void(const metadata::ImagePtr&)> on_commit;

 private:
  class Node;
  struct Proposal {
    std::string data;
    std::function<void(Result<MetadataOffset>)> done;
  };
  Node& Find(NodeId id) {
    return *nodes_[static_cast<size_t>(id - kFirstController)];
  }
  bool MostLive() const;
  void Start(NodeId id);
  // The log up to its end, a little later; the active one at once.
  void Spread(NodeId id);
  // Nobody is active. What was proposed is lost but for a part.
  std::deque<Proposal> EndTerm();
  // After a while, if nobody is active then.
  void ElectSoon(NodeId not_this, Duration gap);
  void Propose(NodeId from, std::string data,
               std::function<void(Result<MetadataOffset>)> done);
  void CommitNext(uint64_t term);
  void Append(std::string data,
              std::function<void(Result<MetadataOffset>)> done);
  void Elect(NodeId id);

  Scheduler& scheduler_;
  const bool transactions_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Node>> dead_;  // until the simulation ends
  // On the disk of each: as of which offset.
  std::map<NodeId, std::pair<MetadataOffset, std::string>> snapshots_;
  uint64_t lives_ = 0;
  bool stopped_ = false;
  std::vector<quorum::Committed> log_;
  metadata::ImagePtr committed_ = std::make_shared<const metadata::Image>();
  std::deque<Proposal> proposed_;  // by the leader, on their way
  NodeId leader_ = kNoNode;
  uint64_t term_ = 1;
};

}  // namespace tidemark::sim
