// Raft as a follower: raft.h. Appends (raft paper 5.3), heartbeats, snapshots.
#include <algorithm>

#include "controller/raft/raft.h"

namespace tidemark::raft {

void Raft::TickFollower(Follower& follower) {
  if (++follower.elapsed < follower.timeout) return;
  if (MayCampaign()) return BecomePreCandidate();
  follower.leader = kNoNode;
}

// What was known to match may be gone from the log, when a leader replaces in
// its own term what it has sent. No honest one does.
void Raft::NoteMatch(Follower& follower, LogIndex index) {
  follower.matched =
      std::min(std::max(follower.matched, index), log_.last_index());
}

Status Raft::FollowAppend(const Message& m) {
  auto& follower = std::get<Follower>(role_);
  Message reply = MakeReply(m, MessageType::kAppendReply);
  if (m.index < log_.committed()) {
    // Old news; everything committed matches by definition.
    reply.index = log_.committed();
    Send(std::move(reply));
    return {};
  }
  if (!log_.Holds({m.index, m.log_term})) {
    const LogPosition hint = log_.ConflictHint(m.index, m.log_term);
    reply.reject = true;
    reply.index = m.index;
    reply.reject_hint = hint.index;
    reply.hint_term = hint.term;
    Send(std::move(reply));
    return {};
  }
  if (!log_.Merge(m.entries))
    return Fail(ErrorCode::kInvalidRequest,
                "raft message: contradicts committed entries");
  const LogIndex matched = m.index + m.entries.size();
  NoteMatch(follower, matched);
  log_.CommitTo(std::min(m.commit, follower.matched));
  reply.index = matched;
  Send(std::move(reply));
  return {};
}

void Raft::FollowHeartbeat(const Message& m) {
  auto& follower = std::get<Follower>(role_);
  // A heartbeat's commit index is one this node has acknowledged to this very
  // leader, maybe before a restart of which the leader knows nothing: the log
  // is known to match up to there.
  NoteMatch(follower, m.commit);
  log_.CommitTo(std::min(m.commit, follower.matched));
  Message reply = MakeReply(m, MessageType::kHeartbeatReply);
  reply.context = m.context;
  Send(std::move(reply));
}

Status Raft::FollowSnapshot(Message m) {
  auto& follower = std::get<Follower>(role_);
  const SnapshotChunk& chunk = m.snapshot;
  if (chunk.last.index <= log_.committed()) {
    incoming_.reset();
    Message reply = MakeReply(m, MessageType::kAppendReply);
    reply.index = log_.committed();
    Send(std::move(reply));
    return {};
  }
  auto& incoming = incoming_;
  // Of the same state another node makes other bytes.
  if (!incoming || incoming->from != m.from || incoming->last != chunk.last) {
    if (incoming && incoming->from == m.from &&
        chunk.last.index < incoming->last.index)
      return {};
    incoming.emplace(
        Incoming{m.from, m.from_directory, chunk.last, chunk.members});
  }
  if (incoming->whole) {
    // The end of it twice, or nobody was there to be told.
    if (incoming->good) TakeSnapshot(follower);
    return {};
  }
  if (incoming->bytes.size() + chunk.data.size() > config_.max_snapshot_bytes) {
    incoming.reset();
    return Fail(ErrorCode::kInvalidRequest, "raft message: snapshot too large");
  }
  const bool expected = chunk.position == incoming->bytes.size();
  if (expected) incoming->bytes.append(chunk.data.view());
  if (expected && chunk.is_last) {
    incoming->whole.emplace(std::move(incoming->bytes));
    if (!config_.check_snapshots) TakeSnapshot(follower);
    return {};
  }
  Message reply = MakeReply(m, MessageType::kSnapshotReply);
  reply.index = chunk.last.index;
  reply.context = incoming->bytes.size();
  Send(std::move(reply));
  return {};
}

// No pre-vote: the leader itself gives up its claim.
void Raft::FollowTimeoutNow() {
  if (MayCampaign()) BecomeCandidate(/*handed_over=*/true);
}

void Raft::SnapshotChecked(uint64_t id, bool good) {
  if (!incoming_ || incoming_->check != id || id == 0) return;
  if (!good) return incoming_.reset();
  incoming_->good = true;
  auto* follower = std::get_if<Follower>(&role_);
  // Who leads now may not know of it: it is taken when it comes from them.
  if (follower != nullptr && follower->leader == incoming_->from)
    TakeSnapshot(*follower);
}

void Raft::TakeSnapshot(Follower& follower) {
  Message reply{.type = MessageType::kAppendReply,
                .from = config_.self,
                .to = incoming_->from,
                .to_directory = incoming_->directory,
                .term = term()};
  InstallSnapshot(follower);
  reply.index = log_.committed();
  Send(std::move(reply));
}

void Raft::InstallSnapshot(Follower& follower) {
  Incoming incoming = std::move(*incoming_);
  incoming_.reset();
  if (incoming.last.index <= log_.committed()) return;
  if (log_.Holds(incoming.last)) {
    // The log has it all: what follows the snapshot is worth keeping.
    NoteMatch(follower, incoming.last.index);
    log_.CommitTo(incoming.last.index);
    return;
  }
  log_.Restore(incoming.last, incoming.members);
  NoteMatch(follower, incoming.last.index);
  installed_ = Snapshot{incoming.last, std::move(*incoming.whole),
                        std::move(incoming.members)};
}

}  // namespace tidemark::raft
