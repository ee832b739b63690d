#include "controller/quorum/leadership.h"

#include <glog/logging.h>

#include <utility>

namespace tidemark::quorum {

void Leadership::Follow(const raft::Raft& core, raft::LogPosition applied) {
  if (core.leader() != known_leader_) {
    known_leader_ = core.leader();
    LOG(INFO) << "quorum leader=" << known_leader_ << " term=" << core.term();
  }
  const bool asks = std::holds_alternative<raft::Candidate>(core.role());
  if (std::exchange(asks_for_votes_, asks) && !asks && !core.IsLeader())
    ++elections_lost_;
  const raft::Term leads = core.IsLeader() ? core.term() : 0;
  if (leads != leading_) {
    if (leading_ != 0) Lose();
    leading_ = leads;
  }
  if (leading_ == 0 && known_leader_ != kNoNode) StopWaiting();
  if (leading_ == 0 || active_) return;
  // Its own no-op applied, the state machine has all earlier terms.
  if (applied.term != leading_) return;
  active_ = true;
  machine_.BecomeActive(leading_);
}

void Leadership::Lose() {
  leading_ = 0;
  // First, so that it has forgotten them: it need not see each one fail.
  if (std::exchange(active_, false)) machine_.Resign();
  proposals_.FailAll();
  changes_.FailAll();
}

void Leadership::StopWaiting() {
  if (await_) std::exchange(await_, nullptr)();
}

}  // namespace tidemark::quorum
