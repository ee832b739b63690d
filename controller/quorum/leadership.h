#pragma once

#include <functional>

#include "controller/quorum/member_changes.h"
#include "controller/quorum/proposals.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/raft.h"

namespace tidemark::quorum {

// Tells the state machine, and whoever waits for a proposal, a change of the
// quorum or a hand-over, when the core's leadership begins and ends. Owner: the
// executor's thread.
class Leadership {
 public:
  // All outlive this.
  Leadership(StateMachine& machine, Proposals& proposals,
             MemberChanges& changes)
      : machine_(machine), proposals_(proposals), changes_(changes) {}

  // After everything that may have moved `core`; the machine is at `applied`.
  void Follow(const raft::Raft& core, raft::LogPosition applied);

  // The state machine knows that this node leads.
  bool active() const { return active_; }
  // This node asked for votes and did not win.
  uint64_t elections_lost() const { return elections_lost_; }

  // `done` is called once another one is known to lead, or with StopWaiting.
  void AwaitAnother(std::function<void()> done) { await_ = std::move(done); }
  void StopWaiting();

 private:
  void Lose();

  StateMachine& machine_;
  Proposals& proposals_;
  MemberChanges& changes_;
  raft::Term leading_ = 0;  // the term this node leads; 0: none
  bool active_ = false;
  NodeId known_leader_ = kNoNode;
  bool asks_for_votes_ = false;
  uint64_t elections_lost_ = 0;
  std::function<void()> await_;
};

}  // namespace tidemark::quorum
