#include "controller/raft/raft.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::raft {
namespace {

MembersPtr Static(const std::set<NodeId>& voters) {
  if (voters.empty()) return nullptr;
  return std::make_shared<Members>(Members::OfVoters(voters));
}

bool IsReply(MessageType type) {
  switch (type) {
    case MessageType::kPreVoteReply:
    case MessageType::kVoteReply:
    case MessageType::kAppendReply:
    case MessageType::kHeartbeatReply:
    case MessageType::kSnapshotReply:
      return true;
    default:
      return false;
  }
}

}  // namespace

Raft::Raft(Config config, Stored stored)
    : config_(std::move(config)),
      random_(static_cast<uint32_t>(config_.seed ^ (config_.seed >> 32))),
      log_(stored, Static(config_.voters)),
      hard_state_(stored.hard_state) {
  FollowMembers();
  CHECK_GE(config_.election_ticks_max, config_.election_ticks_min);
  CHECK_GT(config_.election_ticks_min, config_.heartbeat_ticks);
  random_.discard(16);  // near seeds begin alike
  handed_hard_state_ = durable_hard_state_ = hard_state_;
  // An entry of a later term proves that the term has begun.
  if (log_.last().term > hard_state_.term)
    hard_state_ = {log_.last().term, kNoNode, hard_state_.vote_directory};
  // Also an ex-leader starts as follower: it must not lead its term again,
  // since it may have forgotten entries it gave out.
  // Asking for pre-votes early is safe, and a group that starts together need
  // not wait out a whole timeout.
  const auto early =
      static_cast<uint32_t>(2 + random_() % config_.election_ticks_min);
  role_ = Follower{.timeout = std::min(early, config_.election_ticks_min)};
}

void Raft::Tick() {
  write_clock_.Tick();
  if (auto* follower = std::get_if<Follower>(&role_)) {
    TickFollower(*follower);
  } else if (auto* pre = std::get_if<PreCandidate>(&role_)) {
    if (++pre->elapsed >= pre->timeout && !DiskHangs()) BecomePreCandidate();
  } else if (auto* candidate = std::get_if<Candidate>(&role_)) {
    if (++candidate->elapsed >= candidate->timeout && !DiskHangs())
      BecomePreCandidate();
  } else {
    TickLeader(std::get<Leader>(role_));
  }
}

Status Raft::Step(Message m) {
  TM_RETURN_IF_ERROR(Validate(m));
  if (m.to != config_.self || m.from == config_.self || m.from < 0)
    return Fail(ErrorCode::kInvalidRequest,
                "raft message: wrong sender or receiver");
  if (!IsForUs(m) || IsBlankBefore(m)) return {};
  const Status status = StepTerm(std::move(m));
  FollowMembers();
  return status;
}

Status Raft::StepTerm(Message m) {
  // Pre-votes speak of a term that has not begun: they come before terms.
  if (m.type == MessageType::kPreVote) return StepPreVote(m), Status();
  if (m.type == MessageType::kPreVoteReply)
    return StepPreVoteReply(m), Status();

  if (m.term < term()) return StepLowerTerm(m), Status();
  if (m.term > term() && !StepHigherTerm(m)) return {};

  switch (m.type) {
    case MessageType::kVote:
      StepVote(m);
      return {};
    case MessageType::kVoteReply:
      if (auto* candidate = std::get_if<Candidate>(&role_)) {
        candidate->votes.emplace(m.from, !m.reject);
        CountVotes();
      }
      return {};
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kSnapshot:
    case MessageType::kTimeoutNow:
      return StepFromLeader(std::move(m));
    default:
      break;
  }
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return {};
  auto peer = leader->peers.find(m.from);
  if (peer == leader->peers.end()) return {};
  peer->second.silent_ticks = 0;
  if (m.type == MessageType::kAppendReply) return LeadAppendReply(m);
  if (m.type == MessageType::kHeartbeatReply) LeadHeartbeatReply(m);
  if (m.type == MessageType::kSnapshotReply) LeadSnapshotReply(m);
  return {};
}

// Not what was meant for this id on another disk, nor what somebody answers
// whose answer counts for nothing. One that is leaving may still catch up, but
// its term is no matter of ours.
bool Raft::IsForUs(const Message& m) const {
  if (!m.to_directory.IsZero() && m.to_directory != config_.directory)
    return false;
  if (!IsReply(m.type)) return true;
  const Member* member = followed_ ? followed_->Find(m.from) : nullptr;
  if (member != nullptr) return member->Is(m.from_directory);
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || m.term > term()) return false;
  auto peer = leader->peers.find(m.from);
  return peer != leader->peers.end() &&
         (peer->second.directory.IsZero() ||
          peer->second.directory == m.from_directory);
}

// A node with nothing on its disk may have had everything there once. While the
// candidate does not know its directory from the log it votes only for as
// blank ones, which is how a quorum forms that knows ids only; a leader elected
// without it brings it back (R-18, F21). One that has voted has its disk since.
bool Raft::IsBlankBefore(const Message& m) const {
  const bool asks =
      m.type == MessageType::kVote || m.type == MessageType::kPreVote;
  return asks && m.to_directory.IsZero() && m.index > 0 &&
         log_.last_index() == 0 && vote() == kNoNode &&
         hard_state_.vote_directory.IsZero();
}

bool Raft::IsVoter() const {
  return followed_ && followed_->IsVoter(config_.self, config_.directory);
}

// Also one that is no voter in the newest configuration it has, while that is
// not known to be committed: its log may be the only one that can still win
// (thesis 4.2.2, figure 4.6). It does not count itself.
bool Raft::MayCampaign() const {
  return !DiskHangs() &&
         (IsVoter() || log_.MayVote(config_.self, config_.directory));
}

void Raft::FollowMembers() {
  if (followed_ == log_.members()) return;
  followed_ = log_.members();
  voters_ = Majority(followed_ ? followed_->Voters() : std::set<NodeId>());
  if (auto* leader = std::get_if<Leader>(&role_)) FollowPeers(*leader);
}

// Whether a live leader has a claim on this node, so that it refuses votes: a
// node that was cut off and comes back must not unseat a healthy leader
// (thesis 4.2.3).
bool Raft::InLease() const {
  if (IsLeader()) return true;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader != kNoNode &&
         follower->elapsed < config_.election_ticks_min;
}

// No vote of this node would become durable, not even its own.
bool Raft::DiskHangs() const {
  return write_clock_.oldest() >= config_.election_ticks_max;
}

// False: the message is to be ignored.
bool Raft::StepHigherTerm(const Message& m) {
  if (m.type == MessageType::kVote && m.context != kHandedOver && InLease())
    return false;
  const bool from_leader =
      m.type == MessageType::kAppend || m.type == MessageType::kHeartbeat ||
      m.type == MessageType::kSnapshot || m.type == MessageType::kTimeoutNow;
  BecomeFollower(m.term, from_leader ? m.from : kNoNode);
  return true;
}

// Tells a sender that lives in the past, so that an old leader steps down and
// a candidate behind catches up. Replies of the past are dropped.
void Raft::StepLowerTerm(const Message& m) {
  if (m.type == MessageType::kVote) {
    Message reply = MakeReply(m, MessageType::kVoteReply);
    reply.reject = true;
    Send(std::move(reply));
  } else if (m.type == MessageType::kAppend ||
             m.type == MessageType::kHeartbeat ||
             m.type == MessageType::kSnapshot) {
    Send(MakeReply(m, MessageType::kHeartbeatReply));
  }
}

void Raft::StepPreVote(const Message& m) {
  Message reply = MakeReply(m, MessageType::kPreVoteReply);
  reply.reject = m.term <= term() || InLease() || DiskHangs() ||
                 !log_.MayVoteFor({m.index, m.log_term});
  if (!reply.reject) reply.term = m.term;
  Send(std::move(reply));
}

void Raft::StepPreVoteReply(const Message& m) {
  if (m.reject && m.term > term()) return BecomeFollower(m.term, kNoNode);
  auto* pre = std::get_if<PreCandidate>(&role_);
  if (pre == nullptr) return;
  if (m.term != term() + (m.reject ? 0 : 1)) return;
  pre->votes.emplace(m.from, !m.reject);
  CountPreVotes();
}

void Raft::StepVote(const Message& m) {
  Message reply = MakeReply(m, MessageType::kVoteReply);
  const bool again =
      vote() == m.from && hard_state_.vote_directory == m.from_directory;
  const bool may = again || (vote() == kNoNode && leader() == kNoNode);
  reply.reject = !may || !log_.MayVoteFor({m.index, m.log_term});
  if (!reply.reject) {
    hard_state_.vote = m.from;
    hard_state_.vote_directory = m.from_directory;
    // Only a granted vote restarts the clock.
    if (auto* follower = std::get_if<Follower>(&role_)) follower->elapsed = 0;
  }
  Send(std::move(reply));
}

Status Raft::StepFromLeader(Message m) {
  if (IsLeader())
    return Fail(ErrorCode::kInvalidRequest,
                "raft message: second leader in one term");
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr) {
    BecomeFollower(term(), m.from);
    follower = &std::get<Follower>(role_);
  }
  if (follower->leader == kNoNode) {
    follower->leader = m.from;
    follower->timeout = RandomTimeout();
  }
  if (follower->leader != m.from)
    return Fail(ErrorCode::kInvalidRequest,
                "raft message: second leader in one term");
  follower->elapsed = 0;
  if (m.type == MessageType::kAppend) return FollowAppend(m);
  if (m.type == MessageType::kSnapshot) return FollowSnapshot(std::move(m));
  if (m.type == MessageType::kTimeoutNow) return FollowTimeoutNow(), Status();
  // It is one that this node has acknowledged to this very leader. The node
  // then says nothing more, so that the leader does not count on it.
  if (m.commit > log_.last_index())
    return Fail(
        ErrorCode::kInvalidRequest,
        "raft message: entry " + std::to_string(m.commit) +
            " is one that this controller has acknowledged, and its log ends "
            "at " +
            std::to_string(log_.last_index()) +
            ": its directory is an older copy, or has lost what was synced; "
            "replace it as a lost disk");
  FollowHeartbeat(m);
  return {};
}

void Raft::BecomeFollower(Term term, NodeId leader) {
  CHECK_GE(term, this->term());
  if (term > this->term()) {
    hard_state_ = {term, kNoNode, hard_state_.vote_directory};
  }
  Follower next{.leader = leader, .timeout = RandomTimeout()};
  // A higher term alone is no reason to wait longer for a leader.
  const auto* before = std::get_if<Follower>(&role_);
  if (before != nullptr && leader == kNoNode) {
    next.elapsed = before->elapsed;
    next.timeout = before->timeout;
  }
  role_ = std::move(next);
}

void Raft::LeaderUnreachable(NodeId node) {
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != node || node == kNoNode)
    return;
  follower->leader = kNoNode;
  // One after the other, in the order of their ids: everyone notices at the
  // same moment, and a split vote would cost an election timeout.
  uint32_t before = 0;
  for (NodeId voter : voters_.voters())
    before += voter != node && voter < config_.self;
  follower->timeout =
      follower->elapsed + 1 + std::min(2 * before, config_.election_ticks_min);
}

NodeId Raft::leader() const {
  if (IsLeader()) return config_.self;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower == nullptr ? kNoNode : follower->leader;
}

uint32_t Raft::RandomTimeout() {
  const uint32_t span =
      config_.election_ticks_max - config_.election_ticks_min + 1;
  return config_.election_ticks_min + random_() % span;
}

Message Raft::MakeReply(const Message& to, MessageType type) const {
  return {.type = type,
          .from = config_.self,
          .to = to.from,
          .to_directory = to.from_directory,
          .term = term()};
}

void Raft::Send(Message m) {
  m.from_directory = config_.directory;
  bool promises = false;
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kPreVoteReply:
    case MessageType::kSnapshotReply:
      break;
    case MessageType::kVote:
      promises = true;  // the own vote, and the log that is asked to lead
      break;
    case MessageType::kVoteReply:
    case MessageType::kAppendReply:
      promises = !m.reject;
      break;
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kHeartbeatReply:
    case MessageType::kSnapshot:
    case MessageType::kTimeoutNow:
      break;
  }
  // No one learns of a term that this node could forget.
  if (m.term > durable_hard_state_.term && m.type != MessageType::kPreVote &&
      m.type != MessageType::kPreVoteReply)
    promises = true;
  (promises ? after_write_ : now_).push_back(std::move(m));
}

Ready Raft::TakeReady() {
  Ready ready;
  LeaveIfRemoved();
  if (IsLeader()) FlushLeader(&ready);
  ready.snapshot = installed_;
  if (config_.check_snapshots && incoming_ && incoming_->whole &&
      incoming_->check == 0) {
    incoming_->check = ++checks_;
    ready.check = {checks_, incoming_->last, *incoming_->whole};
  }
  TakeWrite(&ready);
  for (Message& m : std::exchange(now_, {}))
    ready.messages.push_back(std::move(m));
  ready.committed = log_.TakeCommitted(config_.max_apply_bytes);
  return ready;
}

void Raft::TakeWrite(Ready* ready) {
  Write write;
  if (hard_state_ != handed_hard_state_)
    handed_hard_state_ = *(write.hard_state = hard_state_);
  write.snapshot = std::exchange(installed_, std::nullopt);
  const auto* leader = std::get_if<Leader>(&role_);
  write.entries = log_.TakeUnwritten(leader != nullptr ? leader->released
                                                       : log_.last_index());
  write.messages = std::exchange(after_write_, {});
  if (write.IsOnlyMessages()) {
    if (write.messages.empty()) return;
    if (!log_.writing()) {
      // What they promise is durable already.
      ready->messages = std::move(write.messages);
      return;
    }
  }
  write.id = next_write_++;
  log_.BeginWrite(write.id);
  write_clock_.Begin();
  if (write.hard_state)
    hard_state_writes_.push_back({write.id, *write.hard_state});
  ready->write = std::move(write);
}

void Raft::OnWritten(uint64_t id) {
  log_.EndWrite(id);
  write_clock_.End();
  if (!hard_state_writes_.empty() && hard_state_writes_.front().id == id) {
    durable_hard_state_ = hard_state_writes_.front().state;
    hard_state_writes_.pop_front();
  }
  if (auto* candidate = std::get_if<Candidate>(&role_)) {
    if (durable_hard_state_ == hard_state_) {
      candidate->votes.emplace(config_.self, true);
      CountVotes();
    }
  }
  if (auto* leader = std::get_if<Leader>(&role_)) MaybeCommit(*leader);
}

}  // namespace tidemark::raft
