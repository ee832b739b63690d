// Raft as the leader: raft.h. Replication, commit, reads, snapshots out.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "controller/raft/raft.h"

namespace tidemark::raft {

void Raft::BecomeLeader() {
  incoming_.reset();
  Leader leader;
  leader.term_start = log_.last_index() + 1;
  FollowPeers(leader);
  role_ = std::move(leader);
  // Entries of earlier terms commit only under one of the own term.
  log_.Append(term(), SharedBytes());
  std::get<Leader>(role_).released = log_.last_index();
}

void Raft::TickLeader(Leader& leader) {
  if (++leader.heartbeat_elapsed >= config_.heartbeat_ticks) {
    leader.heartbeat_elapsed = 0;
    leader.heartbeat_due = true;
  }
  std::map<NodeId, bool> heard{{config_.self, true}};
  for (auto& [id, progress] : leader.peers)
    heard[id] = ++progress.silent_ticks < config_.election_ticks_max;
  // Who knows that it has left, or cannot be told.
  std::erase_if(leader.peers, [&](const auto& peer) {
    const Progress& progress = peer.second;
    return progress.leaving &&
           (progress.silent_ticks >= config_.election_ticks_max ||
            (progress.match() >= log_.members_index() &&
             progress.sent_commit() >= log_.members_index()));
  });
  // Check-quorum: a leader without a majority would keep its clients waiting
  // while another one may already lead.
  if (voters_.Tally(heard) != VoteOutcome::kWon)
    return BecomeFollower(term(), kNoNode);
  if (DiskIsBehind(leader)) return GiveUp(leader);
  // The other one did not make it: lead on.
  if (leader.transfer &&
      ++leader.transfer->elapsed >= config_.election_ticks_max)
    leader.transfer.reset();
}

// By the majority, not by the time a write takes: where all disks are slow
// another leader would be no better.
bool Raft::DiskIsBehind(Leader& leader) {
  auto& behind = leader.behind;
  if (behind && log_.durable() < behind->index)
    return ++behind->elapsed >= config_.election_ticks_max;
  behind.reset();
  if (log_.durable() < log_.committed())
    behind = Leader::Behind{.index = log_.committed()};
  return false;
}

// Nothing can be waited for as in a usual hand over: what is not committed has
// an unknown outcome.
void Raft::GiveUp(const Leader& leader) {
  if (const NodeId to = Furthest(leader, kNoNode); to != kNoNode)
    Send({.type = MessageType::kTimeoutNow,
          .from = config_.self,
          .to = to,
          .to_directory = leader.peers.at(to).directory,
          .term = term()});
  BecomeFollower(term(), kNoNode);
}

Status Raft::TransferLeadership(NodeId to) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr)
    return Fail(ErrorCode::kNotController, "this controller does not lead");
  if (to != kNoNode && (to == config_.self || !voters_.Contains(to)))
    return Fail(ErrorCode::kInvalidRequest,
                "controller " + std::to_string(to) + " is no other voter");
  // What leaves hands over by itself.
  if (leader->transfer || !IsVoter()) return {};
  const NodeId best = Furthest(*leader, to);
  if (best == kNoNode)
    return Fail(ErrorCode::kBrokerNotAvailable,
                "no other controller is there to lead");
  leader->transfer = Leader::Transfer{.to = best};
  return {};
}

// Of the voters heard lately, or of `only` if it is one; kNoNode: nobody.
NodeId Raft::Furthest(const Leader& leader, NodeId only) const {
  NodeId best = kNoNode;
  LogIndex match = 0;
  for (const auto& [id, progress] : leader.peers) {
    if (!voters_.Contains(id) || (only != kNoNode && id != only)) continue;
    if (progress.silent_ticks >= config_.election_ticks_min) continue;
    if (best != kNoNode && progress.match() <= match) continue;
    best = id;
    match = progress.match();
  }
  return best;
}

// What it lacks goes out with the usual appends. Nothing is left uncommitted
// either: who waits for an answer here gets it.
void Raft::MaybeHandOver(Leader& leader) {
  if (!leader.transfer || leader.transfer->sent) return;
  const NodeId to = leader.transfer->to;
  const Progress& progress = leader.peers.at(to);
  if (std::min({progress.match(), log_.committed(), log_.durable()}) <
      log_.last_index())
    return;
  leader.transfer->sent = true;
  Send({.type = MessageType::kTimeoutNow,
        .from = config_.self,
        .to = to,
        .to_directory = progress.directory,
        .term = term()});
}

Result<LogPosition> Raft::Propose(SharedBytes data) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr)
    return Fail(ErrorCode::kNotController, "this controller does not lead");
  if (leader->transfer || !IsVoter())
    return Fail(ErrorCode::kNotController,
                "this controller hands leadership over");
  if (leader->uncommitted_bytes + data.size() > config_.max_uncommitted_bytes &&
      leader->uncommitted_bytes > 0)
    return Fail(ErrorCode::kThrottlingQuotaExceeded,
                "too many metadata changes are waiting for a majority of the "
                "controllers; retry later");
  leader->uncommitted_bytes += data.size();
  log_.Append(term(), std::move(data));
  return log_.last();
}

Status Raft::ReadIndex(uint64_t context) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr)
    return Fail(ErrorCode::kNotController, "this controller does not lead");
  if (log_.committed() < leader->term_start) {
    leader->reads.Hold(context);
    return {};
  }
  leader->reads.Add(context, log_.committed());
  leader->heartbeat_due = true;
  ConfirmReads(*leader);
  return {};
}

void Raft::ConfirmReads(Leader& leader) {
  for (ReadState& read : leader.reads.TakeConfirmed(voters_, config_.self))
    leader.confirmed_reads.push_back(read);
}

Status Raft::LeadAppendReply(const Message& m) {
  auto& leader = std::get<Leader>(role_);
  Progress& progress = leader.peers.at(m.from);
  if (m.index > log_.last_index())
    return Fail(ErrorCode::kInvalidRequest,
                "raft message: acknowledges an entry that does not exist");
  if (m.reject) {
    // Entries of a term above the follower's hint cannot match: skip them.
    LogIndex hint = m.reject_hint;
    if (m.hint_term > 0) hint = log_.ConflictHint(hint, m.hint_term).index;
    progress.Rejected(m.index, hint);
    return {};
  }
  if (!progress.Acked(m.index)) return {};
  if (progress.state() == Progress::State::kSnapshot &&
      progress.match() >= log_.base().index)
    progress.BecomeReplicate();
  MaybeCommit(leader);
  return {};
}

void Raft::LeadHeartbeatReply(const Message& m) {
  auto& leader = std::get<Leader>(role_);
  Progress& progress = leader.peers.at(m.from);
  leader.reads.Acked(m.from, m.context);
  ConfirmReads(leader);
  if (progress.state() == Progress::State::kSnapshot) {
    // Heartbeats overtake nothing: the chunk before it, or its answer, is
    // lost or about to be seen twice.
    progress.transfer.outstanding = false;
  } else if (progress.match() < log_.last_index() ||
             progress.state() == Progress::State::kProbe) {
    progress.Nudge();
  }
}

void Raft::LeadSnapshotReply(const Message& m) {
  auto& leader = std::get<Leader>(role_);
  Progress& progress = leader.peers.at(m.from);
  auto& transfer = progress.transfer;
  if (progress.state() != Progress::State::kSnapshot || !leader.snapshot ||
      transfer.index != m.index || m.context > leader.snapshot->data.size())
    return;
  // Less than before: the follower restarted and begins again.
  transfer.position = m.context;
  transfer.outstanding = false;
}

void Raft::MaybeCommit(Leader& leader) {
  std::map<NodeId, LogIndex> acked{{config_.self, log_.durable()}};
  for (const auto& [id, progress] : leader.peers) acked[id] = progress.match();
  const LogIndex index = voters_.CommittedIndex(acked);
  if (index <= log_.committed() || log_.TermAt(index) != term()) return;
  for (LogIndex i = log_.committed() + 1; i <= index; ++i) {
    const size_t bytes = log_.At(i).data.size();
    leader.uncommitted_bytes -= std::min(bytes, leader.uncommitted_bytes);
  }
  const bool first = log_.committed() < leader.term_start;
  log_.CommitTo(index);
  if (first) {
    leader.reads.Release(index);
    if (!leader.reads.empty()) leader.heartbeat_due = true;
    ConfirmReads(leader);
  }
}

void Raft::FlushLeader(Ready* ready) {
  auto& leader = std::get<Leader>(role_);
  if (std::exchange(leader.heartbeat_due, false)) SendHeartbeats(leader);
  Release(leader);
  for (auto& [id, progress] : leader.peers) Replicate(leader, id, progress);
  MaybeHandOver(leader);
  const bool in_transfer =
      std::any_of(leader.peers.begin(), leader.peers.end(), [](auto& peer) {
        return peer.second.state() == Progress::State::kSnapshot;
      });
  if (!in_transfer) leader.snapshot.reset();
  if (in_transfer && !leader.snapshot && !leader.snapshot_asked)
    ready->wants_snapshot = leader.snapshot_asked = true;
  ready->reads = std::exchange(leader.confirmed_reads, {});
}

// One round at a time: more at once would share no sync, and each costs every
// member some work. It ends with the own disk's write, or with the majority's
// where this disk is the slow one.
void Raft::Release(Leader& leader) {
  if (!log_.writing() || log_.committed() >= leader.released)
    leader.released = log_.last_index();
}

void Raft::SendHeartbeats(Leader& leader) {
  for (auto& [id, progress] : leader.peers) {
    // Not more than the follower is known to have.
    Send({.type = MessageType::kHeartbeat,
          .from = config_.self,
          .to = id,
          .to_directory = progress.directory,
          .term = term(),
          .commit = std::min(progress.match(), log_.committed()),
          .context = leader.reads.empty() ? 0 : leader.reads.round()});
  }
}

void Raft::Replicate(Leader& leader, NodeId to, Progress& progress) {
  while (progress.state() != Progress::State::kSnapshot) {
    if (progress.next() <= log_.base().index) {
      progress.BecomeSnapshot();
      break;
    }
    const bool probing = progress.state() == Progress::State::kProbe;
    const bool entries = progress.next() <= leader.released;
    const LogIndex commit = std::min(log_.committed(), progress.next() - 1);
    // Others learn it from the next entries, or from a heartbeat: told in a
    // message of its own, each entry would cost a follower two.
    const bool news = progress.leaving && commit > progress.sent_commit();
    if (progress.Paused() ? !progress.nudged()
                          : !probing && !entries && !news && !progress.nudged())
      return;
    SendAppend(leader, to, progress);
  }
  SendChunk(leader, to, progress);
}

void Raft::SendAppend(const Leader& leader, NodeId to, Progress& progress) {
  Message m{.type = MessageType::kAppend,
            .from = config_.self,
            .to = to,
            .to_directory = progress.directory,
            .term = term(),
            .index = progress.next() - 1,
            .log_term = *log_.TermAt(progress.next() - 1),
            .commit = log_.committed()};
  // A full window lets only an empty one out: its refusal or acknowledgement
  // tells what of the window has arrived.
  if (!progress.Paused())
    m.entries =
        log_.Slice(progress.next(), leader.released, config_.max_append_bytes);
  size_t bytes = 0;
  for (const Entry& entry : m.entries) bytes += entry.data.size();
  const LogIndex last = m.index + m.entries.size();
  progress.Sent(last, bytes, std::min(m.commit, last));
  Send(std::move(m));
}

void Raft::SendChunk(Leader& leader, NodeId to, Progress& progress) {
  if (!leader.snapshot) return;
  const Snapshot& snapshot = *leader.snapshot;
  if (snapshot.last.index < log_.base().index) {
    // Compaction has overtaken it: it would not let replication resume.
    leader.snapshot.reset();
    return;
  }
  auto& transfer = progress.transfer;
  if (transfer.index != snapshot.last.index)
    transfer = {.index = snapshot.last.index};
  if (transfer.outstanding) return;
  transfer.outstanding = true;
  const size_t size = std::min<size_t>(
      kSnapshotChunkBytes, snapshot.data.size() - transfer.position);
  SnapshotChunk chunk{snapshot.last, transfer.position,
                      snapshot.data.Slice(transfer.position, size),
                      transfer.position + size == snapshot.data.size(),
                      snapshot.members};
  Send({.type = MessageType::kSnapshot,
        .from = config_.self,
        .to = to,
        .to_directory = progress.directory,
        .term = term(),
        .snapshot = std::move(chunk)});
}

void Raft::ProvideSnapshot(Snapshot snapshot) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  leader->snapshot_asked = false;
  if (snapshot.last.index >= log_.base().index && snapshot.last.index > 0)
    leader->snapshot = std::move(snapshot);
}

}  // namespace tidemark::raft
