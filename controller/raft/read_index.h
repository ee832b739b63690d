#pragma once

#include <deque>
#include <map>
#include <vector>

#include "controller/raft/majority.h"
#include "controller/raft/ready.h"

namespace tidemark::raft {

// A leader's reads that wait for proof that it still leads (raft thesis 6.4):
// heartbeats carry a round number; a majority that answers round r confirms
// every read asked for before r went out.
class ReadIndexQueue {
 public:
  // A read at commit index `index`. The next heartbeats must carry round().
  void Add(uint64_t context, LogIndex index) {
    waiting_.push_back({++round_, {context, index}});
  }
  // Before an entry of the own term is committed the commit index may be too
  // old to read at: such reads wait for Release().
  void Hold(uint64_t context) { held_.push_back(context); }
  void Release(LogIndex index);

  uint64_t round() const { return round_; }
  bool empty() const { return waiting_.empty(); }

  // `from` has answered a heartbeat of round `round`.
  void Acked(NodeId from, uint64_t round);
  // `from` is no member any more.
  void Forget(NodeId from) { acked_.erase(from); }
  // The reads that a majority, `self` included, confirms.
  std::vector<ReadState> TakeConfirmed(const Majority& voters, NodeId self);

 private:
  struct Waiting {
    uint64_t round;
    ReadState read;
  };
  uint64_t round_ = 0;
  std::deque<Waiting> waiting_;
  std::vector<uint64_t> held_;
  std::map<NodeId, uint64_t> acked_;
};

}  // namespace tidemark::raft
