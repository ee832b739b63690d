// Raft when its members change: raft.h. One voter at a time (thesis 4).
#include <algorithm>
#include <utility>

#include "controller/raft/raft.h"

namespace tidemark::raft {
namespace {

tl::unexpected<Error> Wait(const std::string& why) {
  return Fail(ErrorCode::kRequestTimedOut, why + "; try again");
}

}  // namespace

Result<LogPosition> Raft::ChangeMembers(Members next) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr)
    return Fail(ErrorCode::kNotController, "this controller does not lead");
  if (leader->transfer || !IsVoter())
    return Fail(ErrorCode::kNotController,
                "this controller hands leadership over");
  // A change of an earlier leader may be alive somewhere until an entry of
  // this term is committed (the bug of single-server changes, R-17).
  if (log_.committed() < leader->term_start)
    return Wait("this controller has only just begun to lead");
  if (log_.members_index() > log_.committed())
    return Wait("another change of the quorum is under way");
  TM_RETURN_IF_ERROR(CheckStep(*followed_, next));
  TM_RETURN_IF_ERROR(CheckChange(*leader, next));
  log_.Append(term(), SharedBytes(),
              std::make_shared<Members>(std::move(next)));
  FollowMembers();
  return log_.last();
}

// What the leader knows beyond the two configurations.
Status Raft::CheckChange(const Leader& leader, const Members& next) const {
  const auto refuse = [](const std::string& why) {
    return Fail(ErrorCode::kInvalidRequest, "quorum members: " + why);
  };
  if (next == *followed_) return refuse("nothing changes");
  if (!next.IsAgreed()) return refuse("a directory is not known");
  if (!followed_->IsAgreed() && next.Voters() != followed_->Voters())
    return refuse("the directories of the voters are to be agreed on first");
  std::map<NodeId, bool> heard{{config_.self, true}};
  for (const auto& [id, progress] : leader.peers)
    heard[id] = progress.silent_ticks < config_.election_ticks_max;
  for (NodeId id : next.Voters()) {
    if (voters_.Contains(id)) continue;
    auto peer = leader.peers.find(id);
    if (peer == leader.peers.end() || followed_->Find(id) == nullptr)
      return refuse("controller " + std::to_string(id) +
                    " is no learner: only one that has caught up may vote");
    const Progress& progress = peer->second;
    if (progress.state() != Progress::State::kReplicate || !heard[id] ||
        progress.match() + config_.max_promotion_lag < log_.last_index())
      return Wait("controller " + std::to_string(id) +
                  " has not caught up yet");
  }
  if (Majority(next.Voters()).Tally(heard) != VoteOutcome::kWon)
    return refuse("no majority of the voters would be there");
  return {};
}

void Raft::FollowPeers(Leader& leader) {
  for (auto& [id, progress] : leader.peers) {
    if (followed_->Find(id) != nullptr || progress.leaving) continue;
    progress.leaving = true;
    leader.reads.Forget(id);
  }
  for (const auto& [id, member] : followed_->all()) {
    if (id == config_.self) continue;
    auto known = leader.peers.find(id);
    if (known != leader.peers.end() && (known->second.directory.IsZero() ||
                                        member.Is(known->second.directory))) {
      known->second.directory = member.directory;
      known->second.leaving = false;
      continue;
    }
    // Nothing is known of its log, also when its id was there before.
    Progress fresh(
        log_.last_index() + 1,
        Inflights(config_.max_inflight_messages, config_.max_inflight_bytes));
    fresh.directory = member.directory;
    leader.peers.insert_or_assign(id, std::move(fresh));
  }
}

// A leader that is no voter any more leads until that is committed (thesis
// 4.2.2), has told whoever waits for it, and hands over.
void Raft::LeaveIfRemoved() {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || IsVoter() || log_.applied() < log_.members_index())
    return;
  GiveUp(*leader);
}

}  // namespace tidemark::raft
