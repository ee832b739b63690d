#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/quorum/node.h"
#include "controller/raft/invariants.h"
#include "tests/sim/quorum/chain.h"
#include "tests/sim/quorum/network.h"
#include "tests/sim/quorum/platter.h"
#include "tests/sim/quorum/quorum_sim.h"
#include "tests/sim/quorum/timeline.h"

namespace tidemark::sim {

inline constexpr uint64_t kTickUs = 50'000;
// What a node takes to read a snapshot.
inline constexpr uint64_t kSlowestReadUs = 300'000;

// One life of a controller process.
struct Life {
  Life(Timeline& timeline, Platter& platter, bool lies,
       std::function<void(const raft::Snapshot&)> saw, ChainMachine machine,
       double rate, uint64_t turn_us)
      : loop(timeline, rate, turn_us),
        background(timeline, rate, 0, kSlowestReadUs),
        disk(timeline, loop, platter, lies, std::move(saw)),
        machine(std::move(machine)) {}

  Loop loop, background;
  SimDisk disk;
  std::unique_ptr<quorum::Transport> transport;
  ChainMachine machine;
  std::unique_ptr<quorum::Node> node;
  size_t changes = 0;  // of the members, not answered yet
};

// One node, beyond the lives of its process.
struct Host {
  quorum::Options options;
  io::MetaProperties meta;
  Platter platter;
  double rate = 1;
  uint64_t turn_us = 0;
  std::unique_ptr<Life> life;  // nullptr: it is down

  const raft::Raft& core() const { return life->node->core(); }
  bool Runs() const { return life && !life->loop.paused(); }
  bool Leads() const { return Runs() && core().IsLeader(); }
};

class Simulation {
 public:
  explicit Simulation(const QuorumSimOptions& options);
  QuorumSimResult Run();

 private:
  // simulation.cc
  void MakeHosts();
  Host& Make(NodeId id, raft::MembersPtr members, bool lists_voters);
  void Start(NodeId id);
  void Kill(NodeId id);
  void Wipe(NodeId id);
  void At(uint64_t delay_us, Timeline::Task run) {
    timeline_.At(delay_us, std::move(run));
  }
  void Fail(const std::string& what);
  NodeId Any() { return static_cast<NodeId>(1 + random_.Below(hosts_.size())); }
  Uuid NewDirectory();

  // clients.cc
  void Client();
  void Propose(Host& host);
  void Read(Host& host);
  void CheckOutcomes();

  // operator.cc
  std::vector<raft::MembersPtr> Configurations(const Host& host);
  bool Outlives(const raft::Members& members, NodeId without);
  bool CanLose(NodeId id);
  void Operator();
  std::optional<std::pair<quorum::MemberChange, raft::Members>> Wish(
      const raft::Members& members);

  // faults.cc
  void Fault();
  void AnyFault();
  void HangDisk(NodeId id, uint64_t duration_us);
  void Stall();
  void CutMinority(uint64_t lasts);
  void Heal();
  NodeId LeaderId() const;

  // checks.cc
  void CheckAll();
  void FollowCommitted();
  void SawSnapshot(const raft::Snapshot& snapshot);
  void WatchProgress();
  bool Settled();

  const QuorumSimOptions options_;
  Timeline timeline_;
  Random& random_;
  Network network_;
  Chains chains_;
  std::map<NodeId, Host> hosts_;
  // What they held when they were last seen: who acknowledged it had it.
  struct LostDisk {
    NodeId id;
    Uuid directory;
    raft::RaftDisk disk;
  };
  std::vector<LostDisk> lost_;
  std::vector<raft::NodeView> views_;
  uint32_t directories_ = 0;

  // Of all nodes of this run.
  size_t snapshot_padding_ = 0;
  uint64_t snapshot_every_ = 20;
  size_t window_ = 128;
  size_t append_bytes_ = 512 << 10;

  int faults_left_;
  bool healing_ = false;
  bool stalls_ = false;       // there has been the first one
  uint64_t progress_at_ = 0;  // a leader applied something new
  raft::LogIndex progress_to_ = 0;

  raft::InvariantChecker checker_;
  raft::LogIndex followed_ = 0;                         // of what is committed
  std::map<raft::LogIndex, raft::MembersPtr> members_;  // as committed
  uint64_t next_value_ = 1;
  std::vector<std::pair<std::string, MetadataOffset>> done_;
  std::set<std::string, std::less<>> refused_;
  QuorumSimResult result_;
};

}  // namespace tidemark::sim
