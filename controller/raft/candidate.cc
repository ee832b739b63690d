// Raft on the way to leadership: raft.h. Pre-vote (thesis 9.6), then vote.
#include <glog/logging.h>

#include "controller/raft/raft.h"

namespace tidemark::raft {

void Raft::Campaign() {
  if (!IsLeader() && MayCampaign()) BecomePreCandidate();
}

void Raft::BecomePreCandidate() {
  role_ = PreCandidate{.timeout = RandomTimeout()};
  std::get<PreCandidate>(role_).votes.emplace(config_.self, true);
  AskForVotes(MessageType::kPreVote, term() + 1);
  CountPreVotes();
}

void Raft::CountPreVotes() {
  switch (voters_.Tally(std::get<PreCandidate>(role_).votes)) {
    case VoteOutcome::kPending:
      return;
    case VoteOutcome::kWon:
      return BecomeCandidate();
    case VoteOutcome::kLost:
      return BecomeFollower(term(), kNoNode);
  }
}

void Raft::BecomeCandidate(bool handed_over) {
  hard_state_ = {term() + 1, config_.self, config_.directory};
  role_ = Candidate{.timeout = RandomTimeout()};
  // The own vote counts when it is durable: OnWritten().
  AskForVotes(MessageType::kVote, term(), handed_over ? kHandedOver : 0);
}

void Raft::AskForVotes(MessageType type, Term term, uint64_t context) {
  const LogPosition last = log_.last();
  for (NodeId voter : voters_.voters()) {
    if (voter == config_.self) continue;
    Send({.type = type,
          .from = config_.self,
          .to = voter,
          .to_directory = followed_->Find(voter)->directory,
          .term = term,
          .index = last.index,
          .log_term = last.term,
          .context = context});
  }
}

void Raft::CountVotes() {
  switch (voters_.Tally(std::get<Candidate>(role_).votes)) {
    case VoteOutcome::kPending:
      return;
    case VoteOutcome::kLost:
      return BecomeFollower(term(), kNoNode);
    case VoteOutcome::kWon:
      break;
  }
  // Votes of others may be enough while the own one is still on its way to
  // the disk; then this node could lead a term it may forget.
  if (durable_hard_state_ == hard_state_) BecomeLeader();
}

}  // namespace tidemark::raft
