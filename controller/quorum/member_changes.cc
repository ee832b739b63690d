#include "controller/quorum/member_changes.h"

#include <glog/logging.h>

#include <utility>

namespace tidemark::quorum {

Result<std::optional<raft::Members>> NextStep(const raft::Members& members,
                                              const MemberChange& change) {
  using Kind = MemberChange::Kind;
  const raft::Member& wanted = change.member;
  const raft::Member* known = members.Find(wanted.id);
  const std::string name = "controller " + std::to_string(wanted.id);
  raft::Members next = members;
  if (change.kind == Kind::kRemove) {
    if (known == nullptr) return std::nullopt;
    if (!wanted.directory.IsZero() && known->directory != wanted.directory)
      return Fail(
          ErrorCode::kVoterNotFound,
          name + " is a member with directory " + ToString(known->directory));
    if (change.only_learner && known->votes)
      return Fail(ErrorCode::kInvalidRequest,
                  name + " votes; remove it instead of forgetting it");
    next.Remove(wanted.id);
    return next;
  }
  if (known == nullptr) {
    raft::Member learner = wanted;
    learner.votes = false;
    next.Put(std::move(learner));
    return next;
  }
  if (known->directory != wanted.directory)
    return Fail(ErrorCode::kDuplicateVoter,
                name + " is a member with directory " +
                    ToString(known->directory) +
                    "; remove it first if that disk is gone");
  if (known->votes || change.only_learner) return std::nullopt;
  raft::Member voter = *known;
  voter.votes = true;
  next.Put(std::move(voter));
  return next;
}

std::vector<NodeId> MemberChanges::Adding() const {
  std::vector<NodeId> ids;
  for (const Waiting& waiting : waiting_)
    if (waiting.change.kind == MemberChange::Kind::kAdd)
      ids.push_back(waiting.change.member.id);
  return ids;
}

bool MemberChanges::Progress(raft::Raft& core, Instant now) {
  bool moved = false;
  while (!waiting_.empty()) {
    const Waiting& front = waiting_.front();
    if (core.log().members_index() > core.log().committed()) {
      if (now < front.deadline) return moved;
      Answer(Fail(ErrorCode::kRequestTimedOut,
                  "the change is under way: a majority of the voters has not "
                  "confirmed it yet"));
      continue;
    }
    auto next = NextStep(*core.members(), front.change);
    if (!next || !*next) {
      Answer(next ? Status() : Fail(next.error()));
      continue;
    }
    const std::string to = ToString(**next);
    auto position = core.ChangeMembers(std::move(**next));
    if (position) {
      LOG(INFO) << "quorum members at " << position->index << ": " << to;
      moved = true;
      continue;
    }
    // What is not so yet may be soon.
    if (position.error().code == ErrorCode::kRequestTimedOut &&
        now < front.deadline)
      return moved;
    Answer(Fail(position.error()));
  }
  return moved;
}

void MemberChanges::FailAll() {
  while (!waiting_.empty())
    Answer(Fail(ErrorCode::kNotController,
                "this controller does not lead any more; how far the change of "
                "the quorum came is unknown"));
}

void MemberChanges::Answer(const Status& status) {
  Waiting front = std::move(waiting_.front());
  waiting_.pop_front();
  front.done(status);
}

}  // namespace tidemark::quorum
