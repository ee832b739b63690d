#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/raft/invariants.h"
#include "controller/raft/raft.h"
#include "tests/support/raft_disk.h"

namespace tidemark::raft {

// Runs raft cores by text commands and tells everything that happens, for the
// golden files in tests/data/raft. After every command all invariants are
// checked.
//
//   add-nodes N [election=min,max] [inflight=N] [append-bytes=N] [agreed]
//                         agreed: with directories, as formatted together
//   join N                one more node, of no quorum yet
//   wipe N                its disk is replaced by a blank one, under its id
//   change N verb=M...    learner, voter, remove or agree (all); as one change
//   campaign N            propose N text...       read-index N context
//   transfer N            hand leadership over
//   tick N [count]        unreachable N leader    heartbeat N
//   process-ready N       take one Ready; without `async` its write is done
//   async N on|off        writes wait for `sync N [count]`
//   deliver N [from=M] [count=K]    drop N [from=M]    duplicate N [from=M]
//   cut A B | heal A B    both directions; messages between them vanish
//   stabilize [N...]      ready, sync and deliver until nothing moves
//   crash N | restart N   what was not synced is lost
//   compact N index [slack]   snapshot at the applied index, then compaction
//   raft-log N | status N | step text-of-one-odd-message
//   quiet on|off          whether commands print their trace
class Scenario {
 public:
  std::string Run(const std::string& command);

 private:
  struct Node {
    Config config;
    RaftDisk disk;
    std::unique_ptr<Raft> core;
    std::string state;  // the state machine: all applied data, joined
    std::deque<Write> writes;
    bool async = false;
    std::string role;
  };
  using Words = std::vector<std::string>;

  void AddNodes(const Words& words);
  void Join(NodeId id);
  void Wipe(Node& node);
  void Change(Node& node, const Words& words);
  void Start(Node& node);
  bool ProcessReady(NodeId id);
  bool Sync(NodeId id);
  bool Deliver(NodeId id, const Words& options, bool keep);
  void Drop(NodeId id, const Words& options);
  void Stabilize(std::set<NodeId> ids);
  void Compact(NodeId id, LogIndex up_to);
  void Step(NodeId id, Message message);
  void Send(const Message& message);
  void PrintRole(NodeId id);
  void PrintLog(NodeId id);
  void PrintStatus(NodeId id);
  void Check();
  void Say(const std::string& line) {
    if (!quiet_) out_ += line + "\n";
  }
  Node& At(NodeId id);

  std::map<NodeId, Node> nodes_;
  std::map<NodeId, std::deque<Message>> network_;  // by receiver
  std::set<std::pair<NodeId, NodeId>> cuts_;
  Config joining_;     // what joining nodes are like
  uint8_t wiped_ = 0;  // directories made so far
  std::unique_ptr<InvariantChecker> checker_;
  std::string out_;
  bool quiet_ = false;
};

}  // namespace tidemark::raft
