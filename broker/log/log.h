#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/directory_health.h"
#include "broker/log/forgotten.h"
#include "broker/log/journal_format.h"
#include "broker/log/log_slice.h"
#include "broker/log/transaction.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/base/uuid.h"
#include "common/io/file.h"

namespace tidemark::log {

class BatchCache;
class LogMark;
struct Cleanable;
struct CleanedGroup;
struct LastOfProducer;

// Kafka's topic settings of the same names; defaults are Kafka's, except that
// flush_messages is 1: acknowledged means synced.
struct LogConfig {
  int64_t segment_bytes = 1 << 30;
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;
  int64_t retention_ms = 7LL * 24 * 3600 * 1000;  // -1: keep for ever
  int64_t retention_bytes = -1;                   // -1: no limit
  int32_t index_interval_bytes = 4096;
  int32_t max_message_bytes = 1048588;
  bool delete_enabled = true;  // cleanup.policy contains delete
  bool compacted = false;      // cleanup.policy contains compact
  // How long files of deleted segments stay, as *.deleted.
  int64_t file_delete_delay_ms = 60'000;
  double min_cleanable_ratio = 0.5;  // dirty, of all
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = INT64_MAX;
  int64_t delete_retention_ms = 24LL * 3600 * 1000;  // of tombstones
  bool log_append_time = false;  // message.timestamp.type=LogAppendTime
  // flush.messages: 1 syncs before acknowledging; INT64_MAX never syncs
  // (page-cache mode: everything appended counts as flushed at once).
  int64_t flush_messages = 1;
  // producer.id.expiration.ms
  int64_t producer_expiration_ms = 24LL * 3600 * 1000;
  // transaction.partition.verification.enable
  bool verifies_transactions = true;
};

struct AppendInfo {
  // Of the batch, or of its original when duplicate; then, where that is no
  // longer remembered, the first is -1 and the last one behind it.
  Offset first_offset = -1;
  Offset last_offset = -1;
  int64_t log_append_time_ms = -1;  // -1: create time
  bool duplicate = false;           // nothing was appended
  // Not 0: nothing was appended. The batch begins a transaction, and its
  // coordinator is to be asked whether that holds the partition; with this
  // guard it may be appended then.
  uint64_t verify = 0;
};

struct EpochEnd {
  LeaderEpoch epoch = -1;  // -1: unknown
  Offset end_offset = -1;
};

// A segment that gets no more batches: [base_offset, end_offset).
struct SealedSegment {
  std::string path;
  uint64_t size = 0;
  Offset base_offset = 0;
  Offset end_offset = 0;
  bool gaps = false;  // compaction may have left some

  bool operator==(const SealedSegment&) const = default;
};

struct TimestampedOffset {
  int64_t timestamp_ms = -1;
  Offset offset = -1;
  LeaderEpoch epoch = -1;
};

// What has to reach the disk so that everything below `end_offset` is safe:
// the data of `files` and the entries of `directories` (a new segment, a new
// partition). Taken on the owner's thread, carried out on a sync thread
// (log/log_syncer.h: LogSyncer, or PerformSync in place), handed back with
// Log::Flushed. `generation` detects a truncation in between.
//
// A journal may take the batches of `appended` instead; then all of it is
// synced behind.
struct SyncWork {
  struct Appended {
    std::shared_ptr<io::File> file;
    uint64_t position = 0;
    uint64_t size = 0;
    Offset base = 0;  // of the first batch; the last ends at `end_offset`
  };
  std::vector<std::shared_ptr<io::File>> files;
  std::vector<std::string> directories;
  std::optional<Appended> appended;
  std::shared_ptr<LogMark> mark;
  Offset end_offset = 0;
  uint64_t generation = 0;
  uint64_t change = 0;  // the log's own count of changes to files and entries
};

// The log of one partition: segments of record batches in Kafka's on-disk
// format, their offset and time indexes, the leader-epoch checkpoint and the
// state of idempotent producers.
//
// Owned by one partition, used on one thread only (the shard's); no locks.
// Appends go to the page cache; `TakeSync`/`Flushed` make them durable behind
// the group-commit seam (log/log_syncer.h in production, the simulator's disk
// in simulation). A disk that fails a write or a sync is broken for good: the
// log refuses further appends and the directory is taken offline (B-32). A
// disk that is full, or a process without descriptors, is not: the operation
// fails with kKafkaStorageError, changes nothing, and may be tried again.
//
// Invariants, checked after every change (B-01): 0 <= start_offset <=
// flushed_offset <= end_offset; batches contiguous by base offset except for
// compaction gaps; epochs never decrease.
class Log {
 public:
  virtual ~Log() = default;

  // Appends one batch from a producer to a leader. Checks Kafka's rules for
  // it (size, magic 2, CRC-32C, count, control bit, idempotent sequence B-26),
  // then stamps base offset and `epoch` into a copy of its first bytes.
  // Errors: kCorruptMessage, kMessageTooLarge, kInvalidRecord,
  // kUnsupportedForMessageFormat, kOutOfOrderSequenceNumber,
  // kInvalidProducerEpoch, kInvalidTxnState, kNotEnoughReplicas
  // (Verifications), kInvalidTimestamp, kKafkaStorageError.
  virtual Result<AppendInfo> AppendAsLeader(
      std::string_view batch, LeaderEpoch epoch, int64_t now_ms,
      const TransactionContext& context = {}) = 0;

  // Whether anything is known of its sequences: if not, any may be the first.
  virtual bool KnowsProducer(ProducerId producer) const = 0;

  // The broker's own batches (coordinator records, markers): as above, but
  // control batches are allowed, and no sequence is asked for in a transaction.
  // Also kTransactionCoordinatorFenced.
  virtual Result<AppendInfo> AppendFromCoordinator(
      std::string_view batch, LeaderEpoch epoch, int64_t now_ms,
      const TransactionContext& context = {}) = 0;

  // The guard for a question to the coordinator of a producer's transaction
  // whether it holds this partition, for who asks before there is a batch
  // (AppendInfo::verify). 0: a transaction of the epoch is open here.
  // kInvalidProducerEpoch: a later one has been at work here.
  virtual Result<uint64_t> BeginVerification(ProducerId producer,
                                             ProducerEpoch epoch,
                                             int64_t now_ms) = 0;

  // Appends whole batches as a leader sent them. A torn batch at the end is
  // ignored. REQUIRES: the first base offset is end_offset().
  // Errors: kCorruptMessage, kOffsetOutOfRange, kKafkaStorageError.
  virtual Result<AppendInfo> AppendAsFollower(std::string_view batches) = 0;

  // Whole batches from the one that contains `from`, below `below`, at most
  // `max_bytes`, but at least one batch when `at_least_one` and there is one.
  // Empty when from == end. Error: kOffsetOutOfRange.
  virtual Result<SharedBytes> Read(Offset from, Offset below, size_t max_bytes,
                                   bool at_least_one) = 0;

  // As Read, of what is still in memory as it was appended: checked then, and
  // not to be checked again. nullopt: Read is to be used.
  virtual std::optional<SharedBytes> ReadNewest(Offset from, Offset below,
                                                size_t max_bytes,
                                                bool at_least_one) const = 0;
  // Has the batches appended to a leader kept there from now on.
  virtual void KeepNewest(std::shared_ptr<BatchCache> cache) = 0;

  // The batches that Read would give, or a few less, when they are at least
  // `at_least` bytes and lie in one segment; else nullopt, and Read is to be
  // used. Reads indexes and headers only. Errors: as Read.
  virtual Result<std::optional<LogSlice>> Find(Offset from, Offset below,
                                               size_t max_bytes,
                                               size_t at_least) = 0;

  // The first segment at or behind `from` that gets no more batches and has
  // none in front of the log's start. What is cut later may change it.
  virtual std::optional<SealedSegment> FindSealed(Offset from) const = 0;

  virtual Offset start_offset() const = 0;
  virtual Offset end_offset() const = 0;
  // Everything below is on stable storage (equals end_offset() in page-cache
  // mode).
  virtual Offset flushed_offset() const = 0;
  virtual int64_t size_bytes() const = 0;

  // nullopt when nothing needs a sync, or, with a journal, when the work taken
  // last is not handed back: one that goes past the journal must not be
  // overtaken.
  virtual std::optional<SyncWork> TakeSync() = 0;
  // Whether TakeSync would give any; cheap.
  virtual bool NeedsSync() const = 0;
  // What a journal that was told of the log has promised, and the segments do
  // not hold for good: to be synced before the journal forgets it.
  virtual SyncWork BehindJournal() = 0;
  // The work was carried out. A stale generation is ignored.
  virtual void Flushed(const SyncWork& work) = 0;
  // The work failed: the log is broken for good.
  virtual void SyncFailed(const SyncWork& work) = 0;
  virtual bool failed() const = 0;

  // Leader epochs (KIP-101, B-07..B-09). An assigned epoch counts at once
  // (KAFKA-7415) and costs no sync: it is on disk together with its first
  // batch, from which a scan learns it, and in the checkpoint before the
  // recovery point passes that batch. An epoch that a crash makes this log
  // forget has no batch in it; its end offset, which is all that others ask
  // for, is the end of the epoch before it.
  // Transactions that were about to begin are to be verified again.
  virtual Status AssignEpoch(LeaderEpoch epoch, Offset start) = 0;
  virtual LeaderEpoch latest_epoch() const = 0;  // -1: none
  // B-09: largest known epoch <= `epoch` and where it ends. An epoch older
  // than every known one ends where the oldest known starts. {-1, -1} when
  // nothing is known or `epoch` is newer than all.
  virtual EpochEnd EndOffsetFor(LeaderEpoch epoch) const = 0;
  virtual std::optional<LeaderEpoch> EpochOfOffset(Offset offset) const = 0;

  // Everything below `high_watermark` is committed.
  virtual void Committed(Offset high_watermark) = 0;
  // Where the first transaction begins that is open, or ended by a marker that
  // is not committed; the high watermark when there is none.
  virtual Offset LastStableOffset(Offset high_watermark) const = 0;
  // Whether any transaction in it may have been aborted; cheap.
  virtual bool HasAborted() const = 0;
  // Those of which a part lies in [from, below). kCorruptMessage: nobody knows.
  virtual Result<std::vector<AbortedTransaction>> AbortedIn(Offset from,
                                                            Offset below) = 0;
  virtual Result<std::vector<ActiveProducer>> ActiveProducers() = 0;

  // First record with timestamp >= `timestamp_ms`, by batch and then by
  // record; nullopt if none.
  virtual Result<std::optional<TimestampedOffset>> FindByTimestamp(
      int64_t timestamp_ms) = 0;
  virtual Result<std::optional<TimestampedOffset>> FindMaxTimestamp() = 0;

  // Cuts everything from `offset` on, producer state and epochs included.
  virtual Status TruncateTo(Offset offset) = 0;
  // The same where what is on disk at `offset` is not what was written:
  // believes no index, and no header behind the first that is wrong.
  virtual Status TruncateDamaged(Offset offset) = 0;
  // Drops everything and starts over at `offset`. kOffsetOutOfRange: below 0
  // or beyond kMaxOffset; nothing has changed.
  virtual Status TruncateFullyAndStartAt(Offset offset) = 0;
  // What is appended to the log, which is empty, comes from one that has
  // forgotten this.
  virtual Status BeginFrom(const Forgotten& forgotten) = 0;
  // By its own compaction, or that of the log it was copied from.
  virtual const Forgotten& forgotten() const = 0;
  // Whether its policy says so now.
  virtual bool compacts() const = 0;
  // DeleteRecords and retention; drops whole segments below. Their files are
  // removed from the oldest on: OpenOptions::remove_later.
  virtual Status AdvanceStartOffset(Offset offset) = 0;
  // Drops segments by retention.ms/bytes that lie below `high_watermark`.
  // Returns how many.
  virtual Result<int> ApplyRetention(Offset high_watermark, int64_t now_ms) = 0;
  virtual void UpdateConfig(const LogConfig& config) = 0;

  // Compaction (log/compaction.h). What there is to clean of a log whose policy
  // says so; nullopt: nothing. Nothing that is not committed, or of a
  // transaction that is not decided, is ever cleaned.
  virtual Result<std::optional<Cleanable>> FindCleanable(Offset high_watermark,
                                                         int64_t now_ms) = 0;
  virtual Result<std::map<ProducerId, LastOfProducer>> LastOfProducers() = 0;
  // Reads from now on a segment that a cleaner has made and synced, in the
  // place of those it was made from. False: they are not what they were, and
  // nothing has changed. Whoever reads the old ones may go on. Its files get
  // their names by `cleaned.swap`; until all have, a restart finds either all
  // of the old ones or the new one.
  virtual Result<bool> Replace(const CleanedGroup& cleaned) = 0;
  // The directory is synced behind all that was replaced: everything in front
  // of `upto` is clean. Of no consequence when the log was cut since.
  virtual Status Cleaned(uint64_t generation, Offset upto) = 0;
  // Of what a cleaner has written. The directory goes offline (B-32).
  virtual void SyncFailed(const Error& error) = 0;

  // Where a scan after an unclean stop may start: everything below is synced,
  // epochs included (writes them when they are not). For the
  // recovery-point-offset-checkpoint.
  virtual Result<Offset> RecoveryPoint() = 0;

  virtual const TopicPartition& partition() const = 0;
  virtual const Uuid& topic_id() const = 0;
  virtual const std::string& dir() const = 0;
  // For a log whose partition.metadata did not survive.
  // kInconsistentTopicId: it has another id.
  virtual Status AdoptTopicId(const Uuid& topic_id) = 0;

  // Syncs everything and writes the producer snapshot: the clean shutdown.
  virtual Status Close() = 0;
  // Removes the directory. The log is unusable afterwards.
  virtual Status Delete() = 0;
};

// What a journal knows about a log that is opened after an unclean stop
// (log/journal_format.h: JournalPlan).
struct JournalReplay {
  const JournalPlan* plan = nullptr;
  // The batches of an append.
  std::function<Result<std::string>(const JournalPlan::Append&)> read;
};

struct OpenOptions {
  std::string dir;  // <log dir>/<topic>-<partition>; created when missing
  TopicPartition partition;
  Uuid topic_id;       // checked against partition.metadata, or written there
  Uuid lost_topic_id;  // when partition.metadata did not survive
  LogConfig config;
  bool clean = false;  // the directory was shut down cleanly: no CRC scan
  Offset recovery_point = 0;  // scan starts at its segment (B-28)
  Offset start_offset = 0;    // from log-start-offset-checkpoint
  Offset first_dirty = 0;     // from cleaner-offset-checkpoint
  bool checkpointed = false;  // it has been in those files
  // Shared by the logs of one log directory; nullptr: this log stands alone.
  // While it says that the disk is nearly full, producers are refused.
  std::shared_ptr<DirectoryHealth> health;
  // Called before the log is cut, on the owner's thread: when it returns, the
  // checkpoint on disk is not above `offset`. Not with a journal.
  std::function<Status(Offset offset)> before_cut;
  // Tells a journal what happens to the log before it does: when it returns,
  // the journal has it for good. What is written behind a cut must not meet on
  // disk what was cut unless recovery knows. nullptr: there is no journal; the
  // log syncs its cuts itself.
  std::function<Status(JournalRecord::Kind, Offset)> journal;
  // Gives files that the log has no more use for their names behind
  // kDeletedSuffix, on a thread that may wait, before anything else is done to
  // the log there, and removes them `delay_ms` later. Any thread. nullptr: the
  // log removes them itself, at once, and waits.
  std::function<void(std::vector<std::string> paths, int64_t delay_ms)>
      remove_later;
  // What the directory's threads learn of the log; nullptr: one of its own.
  std::shared_ptr<LogMark> mark;
  // After an unclean stop: what the journal has of the log. nullptr: there is
  // no journal.
  std::function<std::optional<JournalReplay>(const JournalKey&)> find_journal;
};

// In this order, those that are there.
Status RemoveFiles(io::FileSystem& fs, const std::vector<std::string>& paths);
// Puts kDeletedSuffix behind their names. What is not there is left out.
Status RenameDeleted(io::FileSystem& fs, std::vector<std::string>* paths);

inline constexpr char kPartitionMetadataFile[] = "partition.metadata";

// From that file in the log directory `dir`; nullopt: none, or torn.
Result<std::optional<Uuid>> ReadTopicId(io::FileSystem& fs,
                                        const std::string& dir);

// Opens or creates; after an unclean stop scans from the recovery point and
// cuts at the first bad byte. Everything that survives recovery is synced
// before return, so flushed_offset() == end_offset().
// Errors: kKafkaStorageError; kInconsistentTopicId; kOutOfHandles, kOutOfSpace
// (later it may open).
Result<std::unique_ptr<Log>> OpenLog(io::FileSystem& fs, OpenOptions options,
                                     int64_t now_ms);

}  // namespace tidemark::log
