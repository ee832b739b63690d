#pragma once

#include <deque>
#include <memory>
#include <string>
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
// later still. When the active one changes, of what it had proposed a part is
// committed, and it never learns how much.
class Controllers {
 public:
  explicit Controllers(Scheduler& scheduler);
  ~Controllers();
  void Stop();

  controller::Controller& at(NodeId id);
  SimExecutor& executor(NodeId id);
  NodeId active() const { return leader_; }
  // The state after everything committed.
  metadata::ImagePtr image() const { return committed_; }

  // Another becomes active after `gap`.
  void Change(Duration gap);
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
  void Propose(NodeId from, std::string data,
               std::function<void(Result<MetadataOffset>)> done);
  void CommitNext(uint64_t term);
  void Append(std::string data,
              std::function<void(Result<MetadataOffset>)> done);
  void Elect(NodeId id);

  Scheduler& scheduler_;
  Process process_{"controllers"};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<quorum::Committed> log_;
  metadata::ImagePtr committed_ = std::make_shared<const metadata::Image>();
  std::deque<Proposal> proposed_;  // by the leader, on their way
  NodeId leader_ = kNoNode;
  uint64_t term_ = 1;
};

}  // namespace tidemark::sim
