#pragma once

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "common/base/result.h"
#include "controller/raft/log.h"
#include "controller/raft/majority.h"
#include "controller/raft/message.h"
#include "controller/raft/ready.h"
#include "controller/raft/roles.h"
#include "controller/raft/types.h"
#include "controller/raft/write_clock.h"

namespace tidemark::raft {

struct Config {
  NodeId self = kNoNode;
  Uuid directory;  // where this node's log and votes lie
  // Who votes while the log has no configuration; empty: a node that joins.
  std::set<NodeId> voters;

  // A follower that hears no leader asks for votes after a random number of
  // ticks in [min, max]; for `min` ticks after hearing one it refuses to vote
  // for others; a leader that hears no majority for `max` ticks steps down.
  uint32_t election_ticks_min = 6;
  uint32_t election_ticks_max = 12;
  uint32_t heartbeat_ticks = 1;

  size_t max_append_bytes = 512 * 1024;  // entries in one message
  size_t max_inflight_messages = 128;    // to one follower
  size_t max_inflight_bytes = 8 << 20;
  size_t max_uncommitted_bytes = 64 << 20;   // more proposals are refused
  size_t max_apply_bytes = 4 << 20;          // entries to apply in one Ready
  uint64_t max_snapshot_bytes = 4ull << 30;  // accepted from a leader
  // One of a leader takes the log's place only after SnapshotChecked.
  bool check_snapshots = false;
  // A learner that lacks more may not become a voter yet.
  LogIndex max_promotion_lag = 256;

  uint64_t seed = 0;  // of the election timeouts
};

// One node's part in the Raft consensus (Ongaro & Ousterhout 2014; thesis
// 2014): elections with pre-vote and check-quorum, log replication, ReadIndex,
// snapshots, and a membership that changes by one voter at a time through the
// log (thesis 4): the newest configuration in the log is in force, committed
// or not; there is no second uncommitted one, and none before the leader has
// committed an entry of its own term.
//
// A member is (id, directory). What is meant for another directory or
// comes from one that is no member is dropped. Requests are taken from anyone:
// who asks may know a newer configuration (thesis 4.1); the logs decide.
//
// Pure: no clock, thread, disk or network. Time is Tick(), the network is
// Step() and Ready::messages, the disk is Ready::write and OnWritten(). The
// same inputs in the same order give the same outputs. One owner thread.
//
// Writes are asynchronous: the core goes on while one is on its way to the
// disk, and holds back only the messages that promise what it stores. A
// leader counts itself like a follower: for what it has durably.
//
// A leader whose disk has lacked for an election timeout what a majority has
// on theirs can apply nothing, and its followers do not miss it: it gives
// leadership up, to the voter that is furthest. Whose disk has kept a write
// for so long neither asks for votes nor promises one before it is done.
class Raft {
 public:
  // `stored` is what the disk holds; the state machine holds the snapshot.
  Raft(Config config, Stored stored);

  void Tick();
  // Refuses (kInvalidRequest) what a correct voter never sends; nothing has
  // changed then. Any bytes that came from a network are safe to give.
  Status Step(Message message);
  // Asks for votes now. No effect on a leader.
  void Campaign();
  // The connection from `node` broke. If it is the leader, this follower no
  // longer counts on it and asks for votes soon: the first of the followers at
  // the next tick, each other one two ticks later. Voters that still hear the
  // leader will refuse, so asking is safe.
  void LeaderUnreachable(NodeId node);
  // Hands leadership over to the voter that is furthest, of those heard of
  // lately (thesis 3.10): brings it up to date, then has it ask for votes at
  // once. Until it leads, or an election timeout is over, this leader takes
  // no proposals. kNotController; kBrokerNotAvailable when nobody is there.
  // A transfer under way goes on.
  // With `to` only that one takes over; kInvalidRequest when it is no other
  // voter.
  Status TransferLeadership(NodeId to = kNoNode);
  // Makes `next` the configuration; committed like any entry. kInvalidRequest
  // for more than one voter at a time, a voter who was no learner before, and
  // where no majority of the new voters has been heard lately;
  // kNotController; kRequestTimedOut, to be tried again, while another
  // change is under way or the learner is behind.
  Result<LogPosition> ChangeMembers(Members next);
  // The position the entry has if it is ever committed. kNotController, also
  // while leadership is handed over; kThrottlingQuotaExceeded when too much
  // is uncommitted.
  Result<LogPosition> Propose(SharedBytes data);
  // A linearizable read: a ReadState with `context` follows, or never if this
  // node loses leadership. kNotController.
  Status ReadIndex(uint64_t context);

  // Everything to do now; see ready.h. Until it is empty, call it again.
  Ready TakeReady();
  // Write `id` is durable. In the order of the ids.
  void OnWritten(uint64_t id);
  // The app's newest durable snapshot, after Ready::wants_snapshot.
  void ProvideSnapshot(Snapshot snapshot);
  // After Ready::check, with its id: whether that is a snapshot of the app's. A
  // bad one is forgotten; nothing of it was stored.
  void SnapshotChecked(uint64_t id, bool good);
  // A durable snapshot covers at least `index`, and the storage has dropped
  // the entries up to it. REQUIRES: index <= log().applied().
  void Compact(LogIndex index) { log_.CompactTo(index); }

  // Ticks for which the disk has kept the oldest write; 0: it has none.
  uint64_t oldest_write_ticks() const { return write_clock_.oldest(); }

  NodeId self() const { return config_.self; }
  Term term() const { return hard_state_.term; }
  NodeId vote() const { return hard_state_.vote; }
  // kNoNode when none is known.
  NodeId leader() const;
  bool IsLeader() const { return std::holds_alternative<Leader>(role_); }
  const Role& role() const { return role_; }
  const Log& log() const { return log_; }
  const Majority& voters() const { return voters_; }
  // nullptr: none known.
  const MembersPtr& members() const { return log_.members(); }
  // Whether this node may vote and lead as far as it knows.
  bool IsVoter() const;
  const Config& config() const { return config_; }

 private:
  // raft.cc
  void FollowMembers();
  bool IsForUs(const Message& message) const;
  bool MayCampaign() const;
  bool IsBlankBefore(const Message& message) const;
  Status StepTerm(Message message);
  bool InLease() const;
  bool DiskHangs() const;
  bool StepHigherTerm(const Message& message);
  void StepLowerTerm(const Message& message);
  void StepPreVote(const Message& message);
  void StepPreVoteReply(const Message& message);
  void StepVote(const Message& message);
  Status StepFromLeader(Message message);
  void BecomeFollower(Term term, NodeId leader);
  uint32_t RandomTimeout();
  Message MakeReply(const Message& to, MessageType type) const;
  // Now, or when it may: see ready.h.
  void Send(Message message);
  void TakeWrite(Ready* ready);

  // follower.cc
  void TickFollower(Follower& follower);
  Status FollowAppend(const Message& message);
  void FollowHeartbeat(const Message& message);
  Status FollowSnapshot(Message message);
  void TakeSnapshot(Follower& follower);
  void InstallSnapshot(Follower& follower);
  void NoteMatch(Follower& follower, LogIndex index);
  void FollowTimeoutNow();

  // candidate.cc
  void BecomePreCandidate();
  void BecomeCandidate(bool handed_over = false);
  void AskForVotes(MessageType type, Term term, uint64_t context = 0);
  void CountPreVotes();
  void CountVotes();

  // reconfigure.cc
  void FollowPeers(Leader& leader);
  Status CheckChange(const Leader& leader, const Members& next) const;
  void LeaveIfRemoved();

  // leader.cc
  void BecomeLeader();
  NodeId Furthest(const Leader& leader, NodeId only) const;
  void TickLeader(Leader& leader);
  bool DiskIsBehind(Leader& leader);
  void GiveUp(const Leader& leader);
  Status LeadAppendReply(const Message& message);
  void LeadHeartbeatReply(const Message& message);
  void LeadSnapshotReply(const Message& message);
  void MaybeCommit(Leader& leader);
  void ConfirmReads(Leader& leader);
  void FlushLeader(Ready* ready);
  void Release(Leader& leader);
  void MaybeHandOver(Leader& leader);
  void SendHeartbeats(Leader& leader);
  void Replicate(Leader& leader, NodeId to, Progress& progress);
  void SendAppend(const Leader& leader, NodeId to, Progress& progress);
  void SendChunk(Leader& leader, NodeId to, Progress& progress);

  struct HardStateWrite {
    uint64_t id;
    HardState state;
  };

  Config config_;
  std::minstd_rand random_;
  Log log_;
  MembersPtr followed_;  // the log's configuration that voters_ is made of
  Majority voters_;
  Role role_;

  HardState hard_state_;
  HardState handed_hard_state_;
  HardState durable_hard_state_;
  std::deque<HardStateWrite> hard_state_writes_;

  uint64_t next_write_ = 1;
  WriteClock write_clock_;
  std::vector<Message> now_;
  std::vector<Message> after_write_;
  std::optional<Snapshot> installed_;  // not yet in a Ready

  // A snapshot that arrives in chunks. No role drops it: when the stream of
  // the leader breaks, what has come is still good if it goes on.
  struct Incoming {
    NodeId from = kNoNode;
    Uuid directory;  // of `from`
    LogPosition last;
    MembersPtr members;
    std::string bytes;
    // All of it has come, and `bytes` went here.
    std::optional<SharedBytes> whole;
    uint64_t check = 0;  // 0: not asked for
    bool good = false;
  };
  std::optional<Incoming> incoming_;
  uint64_t checks_ = 0;
};

}  // namespace tidemark::raft
