#include "tests/sim/quorum/simulation.h"

#include <algorithm>

namespace tidemark::sim {

using raft::Members;
using raft::MembersPtr;

Simulation::Simulation(const QuorumSimOptions& options)
    : options_(options),
      timeline_(options.seed),
      random_(timeline_.random),
      network_(timeline_),
      chains_([this](const std::string& what) { Fail(what); }),
      faults_left_(options.faults) {
  // Some runs with snapshots of many chunks, some with small windows.
  if (random_.Chance(10)) snapshot_padding_ = raft::kSnapshotChunkBytes * 5 / 2;
  snapshot_every_ = random_.Between(5, 60);
  if (random_.Chance(50)) window_ = random_.Between(1, 4);
  if (random_.Chance(50)) append_bytes_ = 30;
  MakeHosts();
}

void Simulation::MakeHosts() {
  Members first;
  for (NodeId id = 1; id <= options_.nodes; ++id)
    first.Put({id, NewDirectory(), true, "sim", static_cast<uint16_t>(id)});
  MembersPtr agreed;
  if (options_.changes && random_.Chance(50)) {
    agreed = std::make_shared<Members>(first);
    members_[0] = agreed;
  }
  const int more = options_.changes ? 2 : 0;  // that come and go
  for (NodeId id = 1; id <= options_.nodes + more; ++id) {
    const bool begins = id <= options_.nodes;
    Host& host = Make(id, begins ? agreed : nullptr, begins && !agreed);
    host.meta.directory_id =
        begins ? first.Find(id)->directory : NewDirectory();
    Start(id);
  }
}

Host& Simulation::Make(NodeId id, MembersPtr members, bool lists_voters) {
  Host& host = hosts_[id];
  host.meta.cluster_id = "simulated";
  host.meta.node_id = id;
  quorum::Options& options = host.options;
  options.self = id;
  options.directory = "disk-" + std::to_string(id);
  options.host = "sim";
  options.port = static_cast<uint16_t>(id);
  for (NodeId voter = 1; lists_voters && voter <= options_.nodes; ++voter)
    options.voters.push_back({voter, "sim", static_cast<uint16_t>(voter)});
  options.max_inflight_messages = window_;
  options.max_append_bytes = append_bytes_;
  options.max_apply_bytes = random_.Chance(50) ? 20 : 64 << 10;
  options.max_promotion_lag = random_.Chance(50) ? 3 : 256;
  options.snapshot_every_entries = snapshot_every_;
  host.platter.raft.Format(std::move(members));
  if (options_.uneven_clocks && random_.Chance(50))
    host.rate = static_cast<double>(random_.Between(80, 125)) / 100;
  if (random_.Chance(10)) host.turn_us = 8'000;
  return host;
}

Uuid Simulation::NewDirectory() {
  Uuid directory;
  directory.bytes[15] = static_cast<uint8_t>(++directories_);
  directory.bytes[14] = static_cast<uint8_t>(directories_ >> 8);
  return directory;
}

void Simulation::Start(NodeId id) {
  Host& host = hosts_[id];
  host.options.seed = random_.Next() | 1;
  host.options.snapshot_slack_entries = random_.Below(snapshot_every_);
  host.life = std::make_unique<Life>(
      timeline_, host.platter, options_.disk_lies,
      [this](const raft::Snapshot& snapshot) { SawSnapshot(snapshot); },
      ChainMachine(id, chains_, snapshot_padding_), host.rate, host.turn_us);
  Life& life = *host.life;
  life.transport = network_.MakeTransport(id);
  // It is within the node that it gives up: the end comes right after.
  auto give_up = [this, id, &life](const std::string&) {
    life.loop.After(0, [this, id] {
      Kill(id);
      ++result_.given_up;
    });
  };
  life.node = std::make_unique<quorum::Node>(
      host.options, host.meta,
      quorum::Node::World{life.loop, life.background, life.disk,
                          *life.transport, give_up},
      life.machine, host.platter.Find());
  network_.Listen({&life.loop,
                   {host.meta.cluster_id, id, host.meta.directory_id},
                   life.node->inbox()});
  life.loop.After(random_.Below(kTickUs), [&life] { life.node->Start(); });
  timeline_.Note(static_cast<uint64_t>(id));
}

// Power off: of what was on its way to the disk, any beginning may be there.
void Simulation::Kill(NodeId id) {
  Host& host = hosts_[id];
  if (!host.life) return;
  host.life->disk.LosePower();
  network_.Die(id);
  host.life.reset();
  timeline_.Note(static_cast<uint64_t>(id) + 1000);
}

// The disk is gone; a blank one takes its place, under the same id.
void Simulation::Wipe(NodeId id) {
  Kill(id);
  Host& host = hosts_[id];
  lost_.push_back({id, host.meta.directory_id, host.platter.raft});
  host.platter = Platter();
  host.meta.directory_id = NewDirectory();
  // Whoever puts it there may leave the configuration as it was, where it does
  // not say that this one is a quorum by itself.
  if (options_.nodes == 1 || random_.Chance(50)) host.options.voters.clear();
  Start(id);
  ++result_.wiped;
}

void Simulation::Fail(const std::string& what) {
  if (result_.failure) return;
  std::string text = "seed " + std::to_string(options_.seed) + ", " +
                     std::to_string(options_.nodes) + " nodes, at " +
                     std::to_string(timeline_.now() / 1000) + " ms: " + what;
  for (auto& [id, host] : hosts_) {
    text += "\n  node " + std::to_string(id);
    if (!host.life || !host.life->node) continue;
    const raft::Raft& core = host.core();
    const raft::Log& log = core.log();
    text += " term=" + std::to_string(core.term()) +
            " leader=" + std::to_string(core.leader()) +
            " log=" + ToString(log.last()) +
            " committed=" + std::to_string(log.committed()) + " members={" +
            (log.members() ? ToString(*log.members()) : "") + "} since " +
            std::to_string(log.members_index()) +
            (core.IsVoter() ? " votes" : "");
  }
  result_.failure = text;
}

QuorumSimResult Simulation::Run() {
  const bool stalls = options_.kind != QuorumFaults::kAll;
  At(0, [this] { Client(); });
  At(stalls ? 3'000'000 : 100'000, [this] { Fault(); });
  if (stalls) At(0, [this] { WatchProgress(); });
  if (options_.changes) At(random_.Below(2'000'000), [this] { Operator(); });
  uint64_t deadline = UINT64_MAX;
  raft::LogIndex committed_at_heal = 0;
  while (!result_.failure && !timeline_.empty()) {
    timeline_.RunNext();
    ++result_.events;
    CheckAll();
    if (!healing_) continue;
    const uint64_t now = timeline_.now();
    if (deadline == UINT64_MAX) {
      // A pause may still last three seconds.
      deadline = now + 13'000'000;
      committed_at_heal = checker_.last_committed();
    }
    if (now + 10'000'000 > deadline &&
        checker_.last_committed() > committed_at_heal + 20 && Settled())
      break;
    if (now > deadline)
      Fail(
          "R-27: ten seconds after everything was healed the nodes have not "
          "come together");
  }
  CheckOutcomes();
  result_.elections = chains_.terms();
  result_.committed = checker_.last_committed();
  result_.virtual_ms = timeline_.now() / 1000;
  result_.digest = timeline_.digest();
  return result_;
}

QuorumSimResult RunQuorumSim(const QuorumSimOptions& options) {
  return Simulation(options).Run();
}

}  // namespace tidemark::sim
