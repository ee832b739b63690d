#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>

#include "controller/raft/raft.h"

namespace tidemark::raft {

// One node as the checker sees it between two events.
struct NodeView {
  NodeId id = kNoNode;
  Uuid directory;                // a wiped node is another one
  const Raft* core = nullptr;    // nullptr: it is down
  const Stored* disk = nullptr;  // what would be found after losing power now
};

// Watches a whole group of nodes, as nothing inside the system can, and says
// which promise of Raft (R-01 …) the last event broke. For tests and
// the simulator: call it after every event. It remembers what it saw, so one
// checker belongs to one run.
class InvariantChecker {
 public:
  // nullopt: all hold. Else one line that begins with the invariant's id.
  std::optional<std::string> Check(std::span<const NodeView> nodes);

  // Every entry that was ever committed, by index.
  const std::map<LogIndex, Entry>& committed() const { return committed_; }
  LogIndex last_committed() const {
    return committed_.empty() ? 0 : committed_.rbegin()->first;
  }

 private:
  // What was last seen of one node; `core` tells its incarnations apart.
  struct Seen {
    const Raft* core = nullptr;
    Term term = 0;
    Term durable_term = 0;
    LogIndex committed = 0;
    LogPosition log_base, log_last;
    bool led = false;
    Term led_term = 0;
    uint32_t age = 0;
  };
  using Failure = std::optional<std::string>;
  using Identity = std::pair<NodeId, Uuid>;

  Failure CheckLeader(const NodeView& node, const Seen& seen);
  Failure CheckTerms(const NodeView& node, const Seen& seen);
  Failure CheckVote(const NodeView& node);
  Failure CheckLog(const NodeView& node, const Seen& seen);
  Failure CheckCommitted(const NodeView& node, const Seen& seen,
                         std::span<const NodeView> nodes);
  Failure CheckLeaderComplete(const NodeView& node);
  Failure CheckDurable(LogPosition position, const NodeView& by,
                       const Seen& seen, std::span<const NodeView> nodes);
  Failure CheckMembers(const NodeView& node);
  void Remember(const NodeView& node, Seen* seen);

  // What an entry is and what stood before it, under its position.
  struct Fact {
    Term term = 0;
    Term previous_term = 0;
    size_t hash = 0;
  };

  std::map<Term, Identity> leaders_;
  std::map<std::pair<Identity, Term>, Identity> votes_;
  std::unordered_map<LogIndex, std::vector<Fact>> facts_;
  std::map<LogIndex, Entry> committed_;
  std::map<Identity, Seen> seen_;
};

}  // namespace tidemark::raft
