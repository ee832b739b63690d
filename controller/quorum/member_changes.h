#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/raft.h"

namespace tidemark::quorum {

// The next configuration on the way from `members` to what `change` wants;
// nullopt: it is so already. Refuses what would put another disk in the place
// of a member (kDuplicateVoter), and a removal of a disk that is not there
// under a member's id (kVoterNotFound). Pure.
Result<std::optional<raft::Members>> NextStep(const raft::Members& members,
                                              const MemberChange& change);

// The changes of the quorum that somebody waits for, one after the other. Each
// callback runs exactly once. Owner: the executor's thread.
class MemberChanges {
 public:
  using Done = std::function<void(Status)>;

  void Add(MemberChange change, Instant deadline, Done done) {
    waiting_.push_back({std::move(change), deadline, std::move(done)});
  }
  bool empty() const { return waiting_.empty(); }
  // Who is to be added by them.
  std::vector<NodeId> Adding() const;
  // Takes the next step if it can be taken, and answers what is committed:
  // after everything that may have moved `core`, which leads. True: `core` has
  // something new to send.
  bool Progress(raft::Raft& core, Instant now);
  // Leadership is lost; how far they came is unknown.
  void FailAll();

 private:
  struct Waiting {
    MemberChange change;
    Instant deadline;
    Done done;
  };
  void Answer(const Status& status);
  std::deque<Waiting> waiting_;
};

}  // namespace tidemark::quorum
