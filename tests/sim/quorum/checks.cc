#include <algorithm>

#include "tests/sim/quorum/simulation.h"

namespace tidemark::sim {

void Simulation::CheckAll() {
  views_.clear();
  for (auto& [id, host] : hosts_)
    views_.push_back({id, host.meta.directory_id,
                      host.life ? &host.core() : nullptr,
                      &host.platter.raft.stored()});
  for (const LostDisk& lost : lost_)
    views_.push_back({lost.id, lost.directory, nullptr, &lost.disk.stored()});
  if (auto broken = checker_.Check(views_)) Fail(*broken);
  FollowCommitted();
}

void Simulation::FollowCommitted() {
  while (followed_ < checker_.last_committed()) {
    auto entry = checker_.committed().find(++followed_);
    if (entry == checker_.committed().end() || !entry->second.members) continue;
    members_[followed_] = entry->second.members;
    ++result_.changes;
  }
}

// a snapshot says who was a member then. R-10: and the state.
void Simulation::SawSnapshot(const raft::Snapshot& snapshot) {
  ++result_.snapshots;
  const auto [applied, chain] = ChainMachine::Read(snapshot.data.view());
  if (applied != snapshot.last.index)
    Fail("R-10: snapshot " + ToString(snapshot.last) + " is of " +
         std::to_string(applied));
  chains_.Loaded(applied, chain);
  auto members = members_.upper_bound(snapshot.last.index);
  const raft::MembersPtr expected =
      members == members_.begin() ? nullptr : std::prev(members)->second;
  if ((expected == nullptr) != (snapshot.members == nullptr) ||
      (expected && *expected != *snapshot.members))
    Fail("R-17: snapshot " + ToString(snapshot.last) + " has the members {" +
         (snapshot.members ? ToString(*snapshot.members) : "none") +
         "}, not {" + (expected ? ToString(*expected) : "none") + "}");
}

// Most have a disk and each other: a few election timeouts after the others
// stood still, and ever after, there is a leader that applies what it is told
// . A leader's disk is missed within one; one that is cut off may take a
// second election.
void Simulation::WatchProgress() {
  const uint64_t now = timeline_.now();
  for (auto& [id, host] : hosts_) {
    if (!host.Leads() || host.life->machine.applied() <= progress_to_) continue;
    progress_to_ = host.life->machine.applied();
    progress_at_ = now;
  }
  if (stalls_ && !healing_) {
    result_.longest_stall_ms =
        std::max(result_.longest_stall_ms, (now - progress_at_) / 1000);
    uint64_t timeout =
        hosts_.begin()->second.options.election_ticks_max * kTickUs;
    if (options_.uneven_clocks) timeout = timeout * 5 / 4;
    // What a client waits before it proposes again, and the way to a majority.
    constexpr uint64_t kOneProposal = 200'000;
    const uint64_t most =
        (options_.kind == QuorumFaults::kHungLeader ? 2 : 5) * timeout +
        kOneProposal;
    if (now > progress_at_ + most)
      Fail("R-27: no leader has applied anything for " +
           std::to_string((now - progress_at_) / 1000) + " ms");
  }
  At(10'000, [this] { WatchProgress(); });
}

// Everyone has applied everything, under one leader, and it is something new.
bool Simulation::Settled() {
  const Host* leader = nullptr;
  for (auto& [id, host] : hosts_)
    if (host.life && host.core().IsLeader()) leader = &host;
  if (leader == nullptr || !leader->core().IsVoter()) return false;
  for (auto& [id, host] : hosts_) {
    const raft::Member* member = leader->core().members()->Find(id);
    if (member == nullptr || !member->Is(host.meta.directory_id)) continue;
    if (!host.life || host.core().term() != leader->core().term() ||
        host.life->machine.applied() + 5 < checker_.last_committed())
      return false;
  }
  const raft::Log& log = leader->core().log();
  return log.TermAt(log.committed()) == leader->core().term();
}

}  // namespace tidemark::sim
