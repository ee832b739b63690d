#include "controller/raft/invariants.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace tidemark::raft {
namespace {

std::string Broken(const char* id, NodeId node, const std::string& what) {
  return std::string(id) + ": node " + std::to_string(node) + " " + what;
}

bool DiskHolds(const Stored& disk, LogPosition position) {
  if (position.index <= disk.snapshot.index) return true;
  if (position.index == disk.base.index) return position.term == disk.base.term;
  if (position.index < disk.base.index) return true;
  const size_t at = position.index - disk.base.index - 1;
  return at < disk.entries.size() && disk.entries[at].term == position.term;
}

}  // namespace

std::optional<std::string> InvariantChecker::Check(
    std::span<const NodeView> nodes) {
  for (const NodeView& node : nodes) {
    Seen& seen = seen_[{node.id, node.directory}];
    if (Failure f = CheckVote(node)) return f;
    if (node.core == nullptr) {
      seen.core = nullptr;
      continue;
    }
    if (seen.core != node.core) {
      // A new incarnation starts from its disk.
      const Term durable = seen.durable_term;
      const Term led_term = seen.led_term;
      seen = Seen{};
      seen.term = seen.durable_term = durable;
      seen.led_term = led_term;
    }
    if (Failure f = CheckTerms(node, seen)) return f;
    if (Failure f = CheckLeader(node, seen)) return f;
    if (Failure f = CheckLog(node, seen)) return f;
    if (Failure f = CheckMembers(node)) return f;
    if (Failure f = CheckCommitted(node, seen, nodes)) return f;
    Remember(node, &seen);
  }
  for (const NodeView& node : nodes) {
    if (node.core == nullptr) continue;
    if (Failure f = CheckLeaderComplete(node)) return f;
  }
  return std::nullopt;
}

void InvariantChecker::Remember(const NodeView& node, Seen* seen) {
  const Raft& core = *node.core;
  seen->core = node.core;
  seen->term = core.term();
  seen->durable_term = node.disk->hard_state.term;
  seen->committed = core.log().committed();
  seen->log_base = core.log().base();
  seen->log_last = core.log().last();
  seen->led = core.IsLeader();
  if (seen->led) seen->led_term = core.term();
  ++seen->age;
}

InvariantChecker::Failure InvariantChecker::CheckTerms(const NodeView& node,
                                                       const Seen& seen) {
  if (node.core->term() < seen.term)
    return Broken("R-04", node.id, "went back in term");
  if (node.disk->hard_state.term < seen.durable_term)
    return Broken("R-04", node.id, "went back in term on disk");
  return std::nullopt;
}

InvariantChecker::Failure InvariantChecker::CheckLeader(const NodeView& node,
                                                        const Seen& seen) {
  if (!node.core->IsLeader()) return std::nullopt;
  const Term term = node.core->term();
  const Identity self{node.id, node.directory};
  auto [it, first] = leaders_.emplace(term, self);
  if (!first && it->second != self)
    return Broken("R-01", node.id,
                  "leads term " + std::to_string(term) + " of node " +
                      std::to_string(it->second.first));
  if (!(seen.led && seen.core == node.core) && seen.led_term == term)
    return Broken("R-11", node.id,
                  "leads term " + std::to_string(term) + " a second time");
  if (node.disk->hard_state != HardState{term, node.id, node.directory})
    return Broken("R-12", node.id, "leads without its vote on disk");
  return std::nullopt;
}

InvariantChecker::Failure InvariantChecker::CheckVote(const NodeView& node) {
  const HardState& state = node.disk->hard_state;
  if (state.vote == kNoNode) return std::nullopt;
  const Identity vote{state.vote, state.vote_directory};
  auto [it, first] = votes_.emplace(
      std::pair{Identity{node.id, node.directory}, state.term}, vote);
  if (!first && it->second != vote)
    return Broken("R-12", node.id,
                  "voted twice in term " + std::to_string(state.term));
  return std::nullopt;
}

// wherever a position occurs, on whichever node, there stands
// the same entry after the same term.
InvariantChecker::Failure InvariantChecker::CheckLog(const NodeView& node,
                                                     const Seen& seen) {
  const Log& log = node.core->log();
  if (log.base().index > log.applied())
    return Broken("R-08", node.id, "compacted what it has not applied");
  if (log.base().index > node.disk->snapshot.index &&
      log.durable() >= log.base().index)
    return Broken("R-08", node.id, "compacted beyond its snapshot");
  // A log with the same ends as before has not changed, normally.
  if (seen.core == node.core && seen.log_last == log.last() &&
      seen.log_base == log.base() && seen.age % 16 != 0)
    return std::nullopt;
  Term previous = log.base().term;
  for (LogIndex i = log.first(); i <= log.last_index(); ++i) {
    const Entry& entry = log.At(i);
    const Fact fact{
        entry.term, previous,
        std::hash<std::string_view>()(entry.data.view()) ^
            (entry.members ? std::hash<std::string>()(Encode(*entry.members))
                           : 0)};
    if (entry.index != i || entry.term < previous)
      return Broken("R-02", node.id,
                    "has a log out of order at " + std::to_string(i));
    previous = entry.term;
    auto& known = facts_[i];
    auto it = std::find_if(known.begin(), known.end(),
                           [&](const Fact& f) { return f.term == fact.term; });
    if (it == known.end()) {
      known.push_back(fact);
    } else if (it->hash != fact.hash) {
      return Broken("R-11", node.id,
                    "has another entry at " + ToString(entry.position()));
    } else if (it->previous_term != fact.previous_term) {
      return Broken("R-02", node.id,
                    "differs from others before " + ToString(entry.position()));
    }
  }
  return std::nullopt;
}

// By the members of the leader that committed it: those in force now, or, where
// others were proposed in the same step, before. Disks that were wiped do not
// count.
InvariantChecker::Failure InvariantChecker::CheckDurable(
    LogPosition position, const NodeView& by, const Seen& seen,
    std::span<const NodeView> nodes) {
  auto holds = [&](const Members& members) {
    size_t holders = 0;
    for (const NodeView& node : nodes)
      if (members.IsVoter(node.id) &&
          members.Find(node.id)->Is(node.directory) &&
          DiskHolds(*node.disk, position))
        ++holders;
    return holders * 2 > members.Voters().size();
  };
  const Log& log = by.core->log();
  if (holds(*log.members())) return std::nullopt;
  if (seen.core == by.core && seen.log_last.index >= log.base().index &&
      seen.log_last.index < log.members_index() &&
      holds(*log.MembersAt(seen.log_last.index)))
    return std::nullopt;
  return "R-06: " + ToString(position) +
         " is committed but a majority does not have it on disk";
}

// majorities of configurations that follow each other overlap; at most
// one is not committed; and a leader makes none before it has committed an
// entry of its own term.
InvariantChecker::Failure InvariantChecker::CheckMembers(const NodeView& node) {
  const Log& log = node.core->log();
  const auto* leader = std::get_if<Leader>(&node.core->role());
  if (leader == nullptr) return std::nullopt;
  int uncommitted = 0;
  MembersPtr before = log.MembersAt(log.committed());
  for (LogIndex i = std::max(log.committed() + 1, log.first());
       i <= log.last_index(); ++i) {
    const Entry& entry = log.At(i);
    if (!entry.members) continue;
    uncommitted += i > last_committed();
    if (before && !CheckStep(*before, *entry.members))
      return Broken("R-17", node.id,
                    "goes from " + ToString(*before) + " to " +
                        ToString(*entry.members) + " at once");
    before = entry.members;
    if (entry.term == node.core->term() && log.committed() < leader->term_start)
      return Broken("R-17", node.id,
                    "changes members before it has committed in its term");
  }
  if (uncommitted > 1)
    return Broken("R-17", node.id, "has two configurations under way");
  return std::nullopt;
}

InvariantChecker::Failure InvariantChecker::CheckCommitted(
    const NodeView& node, const Seen& seen, std::span<const NodeView> nodes) {
  const Log& log = node.core->log();
  if (seen.core == node.core && log.committed() < seen.committed)
    return Broken("R-05", node.id, "went back in its commit index");
  if (log.applied() > log.committed())
    return Broken("R-05", node.id, "applied what is not committed");
  LogIndex from = log.first();
  if (seen.core == node.core) from = std::max(from, seen.committed + 1);
  for (LogIndex i = from; i <= log.committed(); ++i) {
    const Entry& entry = log.At(i);
    auto [it, first] = committed_.emplace(i, entry);
    if (!first) {
      if (it->second != entry)
        return Broken("R-10", node.id,
                      "committed another entry at " + std::to_string(i));
      continue;
    }
    if (Failure f = CheckDurable(entry.position(), node, seen, nodes)) return f;
  }
  // The entry that moved a leader's commit index is of its own term.
  if (node.core->IsLeader() && seen.core == node.core && seen.led &&
      log.committed() > seen.committed &&
      log.TermAt(log.committed()) != node.core->term())
    return Broken("R-13", node.id, "committed by counting an old term's entry");
  return std::nullopt;
}

// a leader has every committed entry, and no node's log
// contradicts one it knew as committed.
InvariantChecker::Failure InvariantChecker::CheckLeaderComplete(
    const NodeView& node) {
  const Log& log = node.core->log();
  if (!node.core->IsLeader() || committed_.empty()) return std::nullopt;
  // An old leader, cut off, need not have what later terms committed.
  const Entry& last = committed_.rbegin()->second;
  if (last.term > node.core->term()) return std::nullopt;
  if (log.last_index() < last.index)
    return Broken("R-03", node.id,
                  "leads without the committed " + ToString(last.position()));
  if (last.index >= log.first() && !log.Holds(last.position()))
    return Broken("R-03", node.id,
                  "leads with another entry than the committed " +
                      ToString(last.position()));
  return std::nullopt;
}

}  // namespace tidemark::raft
