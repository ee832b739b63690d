#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/log/batch_cache.h"
#include "broker/log/log.h"
#include "broker/replication/effects.h"
#include "broker/replication/follower_state.h"
#include "broker/replication/isr.h"
#include "broker/replication/stats.h"
#include "broker/replication/throttle.h"
#include "broker/replication/truncation.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/metadata/image.h"

namespace tidemark::replication {

// Of which of a partition's logs something is told: in a later epoch it may
// have been fetched again, and after an exchange it is another one.
struct WhichLog {
  LeaderEpoch leader_epoch = -1;
  uint64_t exchanges = 0;

  bool operator==(const WhichLog&) const = default;
};

// What the partitions of a shard share; outlives them, changed between calls.
struct PartitionEnv {
  NodeId self = kNoNode;
  Duration lag_max = std::chrono::seconds(30);  // replica.lag.time.max.ms
  metadata::ImagePtr image;                     // never null
  Stats* stats = nullptr;                       // never null
  // Where the batches of producers are kept as long as they are new; may be
  // null.
  std::shared_ptr<log::BatchCache> newest;
  // When each follower last fetched anything from this shard: its session
  // answers for the partitions that had nothing to say (B-18).
  std::map<NodeId, Instant> contacts;
  // The controllers have not answered for a whole session, this long, and may
  // have given this broker's partitions to others.
  bool controllers_silent = false;
  Duration session_timeout = std::chrono::seconds(2);
  // Of throttled partitions, what goes to followers and what comes from
  // leaders; null: none is throttled.
  Throttle* to_followers = nullptr;
  Throttle* from_leaders = nullptr;
  // Takes, from any thread, what a reader of a slice found: Partition::
  // FoundCorrupt is called where the partition lives. Empty: nothing is read
  // later than it is found.
  std::function<void(const TopicPartition&, const WhichLog&, Offset,
                     const Error&)>
      found_corrupt;
};

struct FollowerFetch {
  NodeId replica = kNoNode;
  BrokerEpoch broker_epoch = -1;
  LeaderEpoch current_leader_epoch = -1;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = -1;
  Offset flushed_offset = -1;
  Offset log_start_offset = -1;  // -1: not told
  int64_t forgotten = -1;        // log::Forgotten::id; -1: not told
};
struct ConsumerFetch {
  LeaderEpoch current_leader_epoch = -1;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = -1;
  bool read_committed = false;  // only what is stable
  bool from_any = false;        // a follower will do (KIP-392)
};
struct FetchAnswer {
  ErrorCode error = ErrorCode::kNone;
  Payload records;
  Offset high_watermark = -1;
  Offset last_stable_offset = -1;
  Offset log_start_offset = -1;
  Offset limit = -1;  // how far this fetcher may read
  Offset next = -1;   // behind the records; -1: not known
  // Of read_committed: transactions that were, of which a part is in them.
  std::vector<log::AbortedTransaction> aborted;
  std::optional<log::EpochEnd> diverging;
  // Look again with the next fetch, also when nothing moves meanwhile.
  bool again = false;
  // A replica that the consumer had better ask (KIP-392); kNoNode: this one.
  NodeId preferred = kNoNode;
  // Of a follower: a start it is to have on disk before it says so; -1: none.
  Offset keep_start = -1;
  // Of a follower: it is to begin anew at log_start_offset, for its log may
  // have what this one has deleted and forgotten.
  std::optional<log::Forgotten> begin_anew;
  // There is something to read, but not in memory, and this thread must not
  // wait for it (io::NoWait).
  bool cold = false;
};

// What a fetch was asked with; its answer is about that and nothing else.
// Offset and epoch of the last record together name a log's content (B-16): a
// log cut and filled again to the same offset is another one.
struct AskedWith {
  LeaderEpoch leader_epoch = -1;
  Offset fetch_offset = -1;
  LeaderEpoch last_fetched_epoch = -1;
};

// Where a follower goes on fetching, and what it reports with that.
struct FetchPositionOfFollower {
  NodeId leader = kNoNode;
  LeaderEpoch leader_epoch = -1;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = -1;
  Offset flushed_offset = 0;
  Offset log_start_offset = 0;
  int64_t forgotten = -1;
  bool wants_committed = false;  // consumers read here

  AskedWith asked() const {
    return {leader_epoch, fetch_offset, last_fetched_epoch};
  }
};

// A log that is to be cut, on a thread that may wait for its disk.
struct LentLog {
  std::unique_ptr<log::Log> log;
  LogCut cut;
};
// Waits for the disk.
Status CarryOut(const LogCut& cut, log::Log& log);

enum class Role : uint8_t { kNone, kLeader, kFollower };
enum class AppendOrigin : uint8_t { kClient, kCoordinator };

// One replica of one partition: its log, its role in the current leader epoch,
// and every rule of replication that does not need another thread (B-01..B-24).
//
// Synchronous and single-threaded: it belongs to one executor, does no I/O but
// through its Log, and knows no clock: `now` is an argument. What follows from
// a call (replies to send, ISR changes to ask for, syncs to start) is found in
// TakeEffects(), TakeSync() and TakeCut(), so that the simulator drives the
// same code as the broker.
//
// A follower's log is cut elsewhere, since that waits for the disk. From the
// decision until the log is back the partition is away(): it does not fetch, is
// neither read nor written, and stays in its role and epoch. What it is told
// meanwhile counts when the log is there.
//
// Durability: the high watermark counts flushed offsets only, the leader's and
// the followers' own, so whatever lies below it is on the stable storage of
// every member of the maximal ISR. A leader lets followers read what it has
// appended but not flushed: their disks work in parallel to its own.
class Partition {
 public:
  // `high_watermark`: of the checkpoint, -1 when there is none (B-29).
  Partition(TopicPartition name, Uuid topic_id, std::unique_ptr<log::Log> log,
            const PartitionEnv* env, Offset high_watermark, int32_t min_isr);

  // --- metadata ---------------------------------------------------------
  // The row of this partition in a newer image. An older partition epoch
  // than the one known is ignored (B-07). When this replica leads a new leader
  // epoch, its log knows the epoch's start before the call returns.
  void ApplyRow(const metadata::PartitionImage& row, Instant now);
  void UpdateConfig(const log::LogConfig& config, int32_t min_isr);
  // Whether this replica is named by leader.replication.throttled.replicas and
  // by follower.replication.throttled.replicas. Only followers that are not in
  // sync are throttled (KIP-73): others would fall out of the ISR.
  void SetThrottled(bool as_leader, bool as_follower);
  // A broker was fenced or unfenced: whether it counts may have changed.
  void BrokersChanged(Instant now);

  // --- leader -----------------------------------------------------------
  // Errors of Log::AppendAsLeader, kNotLeaderOrFollower, and for acks -1
  // kNotEnoughReplicas.
  Result<log::AppendInfo> AppendAsLeader(
      std::string_view batch, int16_t acks, AppendOrigin origin, Instant now,
      int64_t now_ms, const log::TransactionContext& context = {});
  // As Log::BeginVerification; kNotLeaderOrFollower.
  Result<uint64_t> BeginVerification(ProducerId producer, ProducerEpoch epoch,
                                     int64_t now_ms);
  // Whether an acks=-1 produce whose records the high watermark has passed
  // may be called done: kNotEnoughReplicasAfterAppend when not (B-24).
  ErrorCode CheckAfterCommit() const;

  // `max_bytes` 0 from a follower: it only reports, nothing is read.
  FetchAnswer FetchAsFollower(const FollowerFetch& fetch, size_t max_bytes,
                              bool at_least_one, Instant now);
  FetchAnswer FetchAsConsumer(const ConsumerFetch& fetch, size_t max_bytes,
                              bool at_least_one, Instant now);
  // Of a leader: the replica that a consumer in `rack` reads from `offset` on,
  // as Kafka's RackAwareReplicaSelector chooses: one in sync in that rack that
  // is furthest along; this one if it is there, or none is.
  // `listener`: the consumer's, where the replica has to be as well.
  NodeId PreferredReplica(const std::string& rack, const std::string& listener,
                          Offset offset) const;
  // For this broker's own eyes: up to the end of the log, committed or not.
  FetchAnswer ReadOwn(Offset from, size_t max_bytes);
  // Moves the log's start: what is in front of `offset` is deleted, and at the
  // followers when they hear of it (B-13). kNotLeaderOrFollower;
  // kOffsetOutOfRange: not committed.
  Status TrimTo(Offset offset);
  // The same for an administrator, who is told when no replica can bring the
  // records back: followers say that they start there when their disks have it.
  Status DeleteTo(Offset offset);
  // Of a leader: the lowest start of all replicas whose brokers are alive, as
  // their disks have it; -1 while one has not said.
  Offset LowWatermark() const;
  void Tick(Instant now);  // shrinks the ISR (B-20); forgets who reads no more
  // Whether time alone may change anything here.
  bool NeedsTick() const;
  // `asked_with`: the partition epoch of the proposal.
  void AlterPartitionAnswered(const AlterPartitionResult& result,
                              PartitionEpoch asked_with, Instant now);
  // Timestamps of ListOffsets: -1 latest, -2 earliest, -3 maximum, >= 0 first
  // at or after; with `read_committed` of what is stable. Offset -1 when there
  // is none. kOffsetNotAvailable: B-06.
  Result<log::TimestampedOffset> FindOffset(int64_t timestamp,
                                            LeaderEpoch current_leader_epoch,
                                            bool read_committed = false);
  Result<log::EpochEnd> EndOffsetFor(LeaderEpoch epoch,
                                     LeaderEpoch current_leader_epoch) const;
  Result<std::vector<log::ActiveProducer>> DescribeProducers();

  // --- follower ---------------------------------------------------------
  // nullopt when there is nothing to fetch from: not a follower, no leader,
  // or a failed log.
  std::optional<FetchPositionOfFollower> FollowerPosition() const;
  // So many bytes have been fetched. How long to fetch nothing more; zero: it
  // is not throttled, or may go on.
  Duration FetchedThrottled(size_t bytes, Instant now);
  // An answer without error or divergence. Ignored unless it belongs to this
  // epoch and to the end of this log (B-15), which is not away.
  Status AppendFetched(const AskedWith& asked, const SharedBytes& records,
                       Offset leader_high_watermark, Offset leader_start);
  // After that: the leader waits until the start is on disk. See StartKept.
  void KeepStart(Offset wanted);
  // Whether somebody waits for that.
  bool WantsStartKept() const { return keep_wanted_ > kept_start_; }
  // The disk has `start`, or what came later.
  void StartKept(Offset start);
  // B-12 and B-13. Ignored when of another epoch or position.
  Status Diverged(const AskedWith& asked, log::EpochEnd leader);
  Status OutOfRange(const AskedWith& asked, Offset leader_start);
  // What FetchAnswer::begin_anew says.
  Status BeginAnew(const AskedWith& asked, Offset leader_start,
                   const log::Forgotten& forgotten);

  // --- disk -------------------------------------------------------------
  // nullopt: nothing is to be synced now.
  std::optional<log::SyncWork> TakeSync();
  bool NeedsSync() const;
  void Flushed(const log::SyncWork& work, Instant now);
  void SyncFailed(const log::SyncWork& work);
  Result<int> ApplyRetention(int64_t now_ms);
  // The log and what is to be done to it; once for each Effect::kCut.
  LentLog TakeCut();
  // `cut`: what came of it. False: there is no more to fetch than before it,
  // so that the same would be cut again at once.
  bool CutDone(std::unique_ptr<log::Log> log, const Status& cut, Instant now);
  bool away() const { return away_.has_value(); }

  // --- a move to another directory ----------------------------------------
  // Until it is let go, or has got another log: nothing of the log changes, it
  // is only read, and what is written is refused as if the ISR were too small.
  // Rows count then. kNotLeaderOrFollower: it is being cut;
  // kKafkaStorageError.
  Status HoldUp();
  void LetGo(Instant now);
  bool held_up() const { return held_up_.has_value(); }
  // A copy of the log, all of it on its disk, takes its place. REQUIRES: it is
  // held up. Returns the log that was.
  std::unique_ptr<log::Log> Exchange(std::unique_ptr<log::Log> log,
                                     Instant now);
  // How often it has. Works of other logs are not this one's.
  uint64_t exchanges() const { return exchanges_; }
  WhichLog which_log() const { return {leader_epoch_, exchanges_}; }

  // Its directory may have failed without a call to this log.
  void NoticeFailure();
  // A read has found bytes at or behind `from` that nobody sent.
  void FoundCorrupt(Offset from, const Error& error);

  Effects TakeEffects();

  const TopicPartition& name() const { return name_; }
  const Uuid& topic_id() const { return topic_id_; }
  Role role() const { return static_cast<Role>(role_.index()); }
  bool IsLeader() const { return leading() != nullptr; }
  NodeId leader() const { return leader_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  PartitionEpoch partition_epoch() const { return partition_epoch_; }
  Offset high_watermark() const { return high_watermark_; }
  // Everything in front of it is committed, and what of it is in transactions
  // is decided. REQUIRES: it is not away.
  Offset last_stable_offset() const {
    return log_->LastStableOffset(high_watermark_);
  }
  // Of a leader: since when it leads this epoch.
  Instant leads_since() const {
    return leading() ? leading()->since : Instant();
  }
  // Of a leader; of another, 0 and nobody.
  Offset epoch_start() const { return leading() ? leading()->epoch_start : 0; }
  const Isr& isr() const;
  const std::vector<NodeId>& replicas() const { return replicas_; }
  // All bytes ever appended in this process, to estimate what a waiting
  // fetch would get.
  uint64_t appended_bytes() const { return appended_bytes_; }
  // Of those, the ones below the high watermark.
  uint64_t committed_bytes() const { return committed_bytes_; }
  // Effective: never more than there are replicas.
  size_t min_isr() const;
  const std::optional<Offset>& corrupt_from() const { return corrupt_from_; }
  size_t uncommitted_entries() const { return uncommitted_.size(); }
  // As the controllers count it.
  bool UnderReplicated() const;
  // Known again when it is back.
  bool failed() const { return !away() && log_->failed(); }
  // Whether its compaction may drop what says that something is gone. A leader
  // waits for those who copy its log now, and a copy until it is in sync:
  // otherwise each pass would make it begin anew.
  bool MayForget(Instant now) const;
  // Ends the partition; only destruction is left. nullptr: it is being cut.
  std::unique_ptr<log::Log> ReleaseLog() { return std::move(log_); }
  // REQUIRES: it is not away.
  log::Log& log() { return *log_; }
  const log::Log& log() const { return *log_; }

 private:
  ErrorCode CheckEpoch(LeaderEpoch current_leader_epoch) const;
  // Neither the controllers nor any other member of the ISR has had to do with
  // this leader for a session: another one has been elected, or nothing that
  // is written here can be committed. A client that stays would fill a log
  // that will be cut, and an idempotent one would find its batches out of
  // order there; it is sent to look for the leader instead. While all
  // controllers are down the followers still come, and leaders go on.
  bool Isolated(Instant now) const;
  ErrorCode CheckLeader(LeaderEpoch current_leader_epoch) const;
  ErrorCode CheckReadable(const ConsumerFetch& fetch) const;
  // A follower's consumers wait for its high watermark, so it asks its leader
  // for that as well, as long as they come.
  void NoteReader(Instant now);
  // Whether the committed ISR is large enough for more to be committed.
  bool MayCommit() const;
  void BecomeLeader(const metadata::PartitionImage& row, Instant now);
  void BecomeFollower();
  void MaybeAdvanceHighWatermark(Instant now);
  void NoteStart(FollowerState& state, Offset start);
  void MaybeExpandIsr(NodeId fetcher, const FollowerState& state, Instant now);
  void Propose(std::vector<NodeId> isr);
  IsrProposal MakeProposal(const std::vector<NodeId>& isr) const;
  bool HasUsableDirectory(const metadata::BrokerImage& broker) const;
  ExpandCandidate CandidateOf(NodeId id, const FollowerState& state) const;
  void SetHighWatermark(Offset offset);
  // What a leader has sent.
  struct Fetched {
    SharedBytes records;
    Offset leader_high_watermark = 0;
    Offset leader_start = 0;
  };
  Status TakeFetched(const Fetched& fetched);
  std::optional<Offset> StartsOverAt(std::string_view batches) const;
  Status Append(std::string_view batches);
  void Lend(LogCut cut);
  AskedWith End() const;
  // The log ends before that.
  void ForgetBeyond(Offset end);
  Status AfterCut(const LogCut& cut, const std::optional<Fetched>& fetched);
  Status AtPosition(const AskedWith& asked) const;
  void MaybeResign();
  void HandleCorrupt();
  void DropCorrupt(const metadata::PartitionImage& row);
  FetchAnswer Read(Offset from, Offset limit, size_t max_bytes,
                   bool at_least_one);
  // As Read, except that much is found only and read when it is sent.
  FetchAnswer ReadLater(Offset from, Offset limit, size_t max_bytes,
                        bool at_least_one);
  // From memory, when it is still there.
  bool ReadNewest(Offset from, size_t max_bytes, bool at_least_one,
                  FetchAnswer* answer) const;
  FetchAnswer NewAnswer(Offset limit) const;
  void AddAborted(Offset from, FetchAnswer* answer);
  void ReadFailed(Offset from, const Error& error, FetchAnswer* answer);
  void RoleChanged();
  void FlushedMoved(Instant now);
  void CountAppended(Offset end_before, size_t bytes);

  const TopicPartition name_;
  const Uuid topic_id_;
  std::unique_ptr<log::Log> log_;  // nullptr: it is being cut
  const PartitionEnv* const env_;
  int32_t configured_min_isr_;

  // What only a leader knows, and forgets with its epoch. In the order of Role.
  struct Leading {
    Isr isr;
    Offset epoch_start = 0;
    Instant since;
    std::map<NodeId, FollowerState> followers;
    Instant no_proposal_before{};
    bool recovering = false;  // elected uncleanly, not reported recovered yet
  };
  struct Following {
    // When a consumer last read here; none: it has been long.
    std::optional<Instant> read_at;
  };
  const Leading* leading() const { return std::get_if<Leading>(&role_); }
  // REQUIRES: IsLeader().
  Leading& lead() { return std::get<Leading>(role_); }
  const Leading& lead() const { return std::get<Leading>(role_); }
  std::variant<std::monostate, Leading, Following> role_;
  NodeId leader_ = kNoNode;
  LeaderEpoch leader_epoch_ = -1;
  PartitionEpoch partition_epoch_ = -1;
  std::vector<NodeId> replicas_;
  std::vector<NodeId> adding_;  // of them, while the partition moves
  bool throttled_as_leader_ = false;
  bool throttled_as_follower_ = false;
  Offset high_watermark_ = 0;
  // The start of the log that is known to be on disk, and the one that
  // deletions want to be: of this leader, or of the one that is followed.
  Offset kept_start_ = 0;
  Offset keep_wanted_ = -1;
  uint64_t appended_bytes_ = 0;
  uint64_t committed_bytes_ = 0;
  // Appends above the high watermark: where they end, and appended_bytes_
  // then. Bounded: the newest entry grows when there are many.
  std::deque<std::pair<Offset, uint64_t>> uncommitted_;

  // Where a read has found bytes on this disk that nobody sent: they are served
  // to nobody, and this replica gives up its place for one that has good ones.
  std::optional<Offset> corrupt_from_;
  bool failure_noticed_ = false;

  // While the log is to be cut: what is to be done when it is back.
  struct Away {
    LogCut cut;
    AskedWith before;  // where the log ended
    std::optional<Fetched> fetched;
    std::optional<log::LogConfig> config;
    std::vector<std::pair<log::SyncWork, bool>> syncs;  // and how they went
    std::optional<metadata::PartitionImage> row;
  };
  std::optional<Away> away_;
  struct HeldUp {
    std::optional<log::LogConfig> config;
    std::optional<metadata::PartitionImage> row;
  };
  std::optional<HeldUp> held_up_;
  uint64_t exchanges_ = 0;
  Effects effects_;
};

}  // namespace tidemark::replication
