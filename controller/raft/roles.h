#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "controller/raft/progress.h"
#include "controller/raft/read_index.h"
#include "controller/raft/types.h"

namespace tidemark::raft {

// What a node is, with the state only that role has: changing the role drops
// the old role's state, so nothing of an earlier term is left behind.

struct Follower {
  NodeId leader = kNoNode;
  uint32_t elapsed = 0;  // ticks since the leader was heard or a vote given
  uint32_t timeout = 0;  // election at this many
  LogIndex matched = 0;  // known to equal the leader's log up to here
};

struct PreCandidate {
  std::map<NodeId, bool> votes;
  uint32_t elapsed = 0;
  uint32_t timeout = 0;
};

struct Candidate {
  std::map<NodeId, bool> votes;  // the own one once it is durable
  uint32_t elapsed = 0;
  uint32_t timeout = 0;
};

struct Leader {
  // Handing over leadership to a voter (thesis 3.10).
  struct Transfer {
    NodeId to = kNoNode;
    uint32_t elapsed = 0;  // ticks
    bool sent = false;     // told to ask for votes
  };

  // An entry that a majority has, and the own disk not yet.
  struct Behind {
    LogIndex index = 0;
    uint32_t elapsed = 0;  // ticks
  };

  // Every member but this one, and who has just been removed.
  std::map<NodeId, Progress> peers;
  LogIndex term_start = 0;  // index of the own term's no-op
  // Entries up to here go to the disk and to the followers. What comes while
  // they are on their way waits, and then goes as one.
  LogIndex released = 0;
  size_t uncommitted_bytes = 0;
  uint32_t heartbeat_elapsed = 0;
  bool heartbeat_due = false;
  ReadIndexQueue reads;
  std::vector<ReadState> confirmed_reads;
  std::optional<Snapshot> snapshot;  // in transfer to at least one follower
  bool snapshot_asked = false;
  std::optional<Transfer> transfer;  // no proposals meanwhile
  std::optional<Behind> behind;
};

using Role = std::variant<Follower, PreCandidate, Candidate, Leader>;

}  // namespace tidemark::raft
