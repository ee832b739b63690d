// Changes the quorum as an operator would who does not destroy it knowingly.
#include <algorithm>

#include "tests/sim/quorum/simulation.h"

namespace tidemark::sim {

using raft::Members;
using raft::MembersPtr;

// Whether enough of the voters are there, or will be, for a majority.
bool Simulation::Outlives(const Members& members, NodeId without) {
  size_t left = 0;
  const std::set<NodeId> voters = members.Voters();
  for (NodeId id : voters) {
    const Uuid& directory = members.Find(id)->directory;
    left += id != without && directory == hosts_[id].meta.directory_id;
  }
  return left * 2 > voters.size();
}

// All that may be in force for a node from now on.
std::vector<MembersPtr> Simulation::Configurations(const Host& host) {
  std::vector<MembersPtr> all;
  auto add = [&](MembersPtr members) {
    if (members) all.push_back(std::move(members));
  };
  std::set<NodeId> voters;
  for (const quorum::Voter& voter : host.options.voters)
    voters.insert(voter.id);
  auto stored = raft::Log(
      host.platter.raft.stored(),
      voters.empty() ? nullptr
                     : std::make_shared<Members>(Members::OfVoters(voters)));
  const raft::Log& log = host.life ? host.core().log() : stored;
  add(log.MembersAt(log.committed()));
  for (raft::LogIndex i = std::max(log.committed() + 1, log.first());
       i <= log.last_index(); ++i)
    add(log.At(i).members);
  return all;
}

bool Simulation::CanLose(NodeId id) {
  for (auto& [unused, host] : hosts_) {
    if (host.life && host.life->changes > 0) return false;
    for (const MembersPtr& members : Configurations(host))
      if (!members->IsAgreed() || !Outlives(*members, id)) return false;
  }
  return true;
}

void Simulation::Operator() {
  const bool waits =
      std::any_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
        return host.second.life && host.second.life->changes > 0;
      });
  for (auto& [id, host] : hosts_) {
    if (healing_ || waits || !host.Leads() || !host.life->machine.active())
      continue;
    const MembersPtr& members = host.core().members();
    if (!members->IsAgreed()) continue;
    auto wish = Wish(*members);
    if (!wish || !Outlives(wish->second, kNoNode)) continue;
    Life& life = *host.life;
    ++life.changes;
    life.node->Change(wish->first,
                      std::chrono::milliseconds(random_.Between(100, 5'000)),
                      [&life](const Status&) { --life.changes; });
  }
  At(random_.Between(5'000, 400'000), [this] { Operator(); });
}

// A change, and what the members are after it.
std::optional<std::pair<quorum::MemberChange, Members>> Simulation::Wish(
    const Members& members) {
  using Kind = quorum::MemberChange::Kind;
  Members next = members;
  const NodeId id = Any();
  const raft::Member* member = members.Find(id);
  const Uuid& directory = hosts_[id].meta.directory_id;
  quorum::MemberChange change;
  change.member = {id, directory, true, "sim", static_cast<uint16_t>(id)};
  if (member == nullptr || (!member->votes && random_.Chance(80))) {
    change.only_learner = member == nullptr && random_.Chance(50);
    change.member.votes = !change.only_learner;
    if (member != nullptr) change.member.directory = member->directory;
  } else if (member->directory != directory || random_.Chance(30)) {
    change.kind = Kind::kRemove;
    if (random_.Chance(50))
      change.member.directory = member->directory;
    else
      change.member.directory = {};
    next.Remove(id);
    return std::pair{change, next};
  } else {
    return std::nullopt;
  }
  next.Put(change.member);
  return std::pair{change, next};
}

}  // namespace tidemark::sim
