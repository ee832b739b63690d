#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/log/append_validation.h"
#include "broker/log/batch_cache.h"
#include "broker/log/compaction.h"
#include "broker/log/durability.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/log.h"
#include "broker/log/log_mark.h"
#include "broker/log/producer_state.h"
#include "broker/log/segment.h"
#include "broker/log/verifications.h"
#include "common/record/batch_reader.h"

namespace tidemark::log {

// The Log on files. The directory holds, as in Kafka:
//
//   <20 digits>.log, .index, .timeindex   one set per segment
//   <20 digits>.txnindex                  where transactions were aborted in it
//   <20 digits>.snapshot                  producers in front of that offset
//   leader-epoch-checkpoint
//   partition.metadata                    the topic id
//
// Appending and syncing: log.cc; opening and recovery: log_recovery.cc;
// reading: log_reader.cc; cutting and retention: retention.cc.
//
// Epochs are written lazily: recovery finds them in the batches behind the
// recovery point, and RecoveryPoint() writes them before it lets the point
// pass. A thousand partitions that get a leader cost no sync.
class PartitionLog final : public Log {
 public:
  PartitionLog(io::FileSystem& fs, OpenOptions options);
  Status Open(int64_t now_ms);

  Result<AppendInfo> AppendAsLeader(std::string_view batch, LeaderEpoch epoch,
                                    int64_t now_ms,
                                    const TransactionContext& context) override;
  bool KnowsProducer(ProducerId producer) const override {
    return producers_stale_ || producers_.producers().contains(producer) ||
           verifications_.Knows(producer);
  }
  Result<uint64_t> BeginVerification(ProducerId producer, ProducerEpoch epoch,
                                     int64_t now_ms) override;
  Result<AppendInfo> AppendFromCoordinator(
      std::string_view batch, LeaderEpoch epoch, int64_t now_ms,
      const TransactionContext& context) override;
  Result<AppendInfo> AppendAsFollower(std::string_view batches) override;
  Result<std::optional<LogSlice>> Find(Offset from, Offset below,
                                       size_t max_bytes,
                                       size_t at_least) override;
  Result<SharedBytes> Read(Offset from, Offset below, size_t max_bytes,
                           bool at_least_one) override;

  std::optional<SealedSegment> FindSealed(Offset from) const override;

  Offset start_offset() const override { return start_; }
  Offset end_offset() const override { return durability_.end(); }
  Offset flushed_offset() const override { return durability_.flushed(); }
  int64_t size_bytes() const override;

  std::optional<SyncWork> TakeSync() override;
  bool NeedsSync() const override;
  SyncWork BehindJournal() override;
  void Flushed(const SyncWork& work) override;
  void SyncFailed(const SyncWork& work) override;
  bool failed() const override;
  std::optional<SharedBytes> ReadNewest(Offset from, Offset below,
                                        size_t max_bytes,
                                        bool at_least_one) const override {
    if (failed() || from < start_) return std::nullopt;
    return newest_.Read(from, below, max_bytes, at_least_one);
  }
  void KeepNewest(std::shared_ptr<BatchCache> cache) override {
    newest_.Use(std::move(cache));
  }

  Status AssignEpoch(LeaderEpoch epoch, Offset start) override;
  LeaderEpoch latest_epoch() const override { return epochs_.latest(); }
  EpochEnd EndOffsetFor(LeaderEpoch epoch) const override {
    return epochs_.EndOffsetFor(epoch, end());
  }
  std::optional<LeaderEpoch> EpochOfOffset(Offset offset) const override {
    return epochs_.EpochOf(offset);
  }

  void Committed(Offset high_watermark) override {
    producers_.Committed(high_watermark);
  }
  Offset LastStableOffset(Offset high_watermark) const override {
    // Nothing, as long as the log could not be read again after a cut.
    if (producers_stale_) return start_;
    return std::max(start_, producers_.LastStableOffset(high_watermark));
  }
  bool HasAborted() const override { return has_aborted_; }
  Result<std::vector<AbortedTransaction>> AbortedIn(Offset from,
                                                    Offset below) override;
  Result<std::vector<ActiveProducer>> ActiveProducers() override;

  Result<std::optional<TimestampedOffset>> FindByTimestamp(
      int64_t timestamp_ms) override;
  Result<std::optional<TimestampedOffset>> FindMaxTimestamp() override;

  Status TruncateTo(Offset offset) override;
  Status TruncateDamaged(Offset offset) override;
  Status TruncateFullyAndStartAt(Offset offset) override;
  Status BeginFrom(const Forgotten& forgotten) override;
  const Forgotten& forgotten() const override { return forgotten_; }
  bool compacts() const override { return options_.config.compacted; }
  Status AdvanceStartOffset(Offset offset) override;
  Result<int> ApplyRetention(Offset high_watermark, int64_t now_ms) override;
  void UpdateConfig(const LogConfig& config) override;

  Result<std::optional<Cleanable>> FindCleanable(Offset high_watermark,
                                                 int64_t now_ms) override;
  Result<std::map<ProducerId, LastOfProducer>> LastOfProducers() override;
  Result<bool> Replace(const CleanedGroup& cleaned) override;
  Status Cleaned(uint64_t generation, Offset upto) override;
  void SyncFailed(const Error& error) override { (void)Note(Fail(error)); }

  Result<Offset> RecoveryPoint() override;
  const TopicPartition& partition() const override {
    return options_.partition;
  }
  const Uuid& topic_id() const override { return options_.topic_id; }
  const std::string& dir() const override { return options_.dir; }
  Status AdoptTopicId(const Uuid& topic_id) override;
  Status Close() override;
  Status Delete() override;

  const ProducerState& producers() const { return producers_; }
  const EpochCache& epochs() const { return epochs_; }

 private:
  // Where a batch is, without asking the index.
  struct Place {
    Offset base = -1;
    Offset next = -1;
    uint32_t position = 0;
    uint32_t size = 0;
  };
  // Where a reader will go on.
  struct ReadHint {
    Offset next = -1;
    Offset segment = -1;
    uint32_t position = 0;
  };
  struct Found {
    record::BatchHeader header;
    uint64_t position = 0;
  };

  bool durable() const { return options_.config.flush_messages == 1; }
  Offset end() const { return durability_.end(); }
  bool journalled() const { return options_.journal != nullptr; }
  Segment& active() { return *segments_.back(); }
  const Segment& active() const { return *segments_.back(); }
  Status Healthy() const;
  // Passes `status` on; a storage error breaks the log and its directory, a
  // shortage does not, but is KAFKA_STORAGE_ERROR to whoever asked.
  Status Note(Status status);
  template <class T>
  Result<T> Note(Result<T> result) {
    if (!result) TM_RETURN_IF_ERROR(Note(Status(Fail(result.error()))));
    return result;
  }
  void CheckInvariants() const;
  std::string Path(std::string_view name) const;

  // log.cc
  bool IsWorthASync() const;
  Result<AppendInfo> AppendOwn(std::string_view batch, LeaderEpoch epoch,
                               int64_t now_ms, BatchOrigin origin,
                               const TransactionContext& context);
  // Not nullopt: what to say instead of appending it.
  Result<std::optional<AppendInfo>> CheckProducer(
      const record::BatchHeader& header, std::string_view batch, int64_t now_ms,
      const TransactionContext& context);
  Status AppendRun(const std::vector<record::BatchHeader>& run,
                   std::string_view bytes);
  Status MaybeRoll(const record::BatchHeader& next);
  Status Roll();
  Status AppendToActive(std::span<const record::BatchHeader> headers,
                        std::string_view first_bytes, std::string_view rest);
  Status Appended(const record::BatchHeader& header, uint64_t position,
                  std::string_view batch);
  void NoteNewFile(std::shared_ptr<io::File> file);
  // Those of offsets from `from` on.
  void EpochsChanged(Offset from);
  // Files and directories of what is not in the segments for good, up to
  // `upto`.
  Status CollectUnsynced(Offset upto, SyncWork* work) const;
  Status WriteEpochs();
  Status TryWriteEpochs();
  Status WriteSnapshot();
  Status TryWriteSnapshot();
  Status SyncAll();

  // log_recovery.cc
  Status OpenOrRecover(int64_t now_ms);
  Status Make();
  Status Load(bool there, int64_t now_ms);
  Status LoadTopicId();
  Status WriteTopicId(bool first);
  Status NoteMetadata();
  Status LoadSegments(const std::vector<std::string>& names);
  Status RemoveLeftovers(const std::vector<std::string>& names);
  Result<bool> LoadEpochs();
  Result<bool> LoadActive();
  Status LoadSealed(size_t index);
  Status RebuildIndexes(Segment& segment);
  Status Recover();
  Status Scan();
  Result<bool> ScanSegment(size_t index, Offset* expected,
                           LeaderEpoch* last_epoch);
  void FindJournal();
  Offset FirstOffset() const;
  bool IsEmptyFrom(Offset offset) const;
  bool IsJustMade() const;
  Status Replay();
  // False: it does not go on from what the log holds.
  Result<bool> ReplayAppend(const JournalPlan::Append& append);
  bool IsSafe(bool checkpointed) const;
  Status MakeSafe(bool clean, bool fresh);
  bool HasChanges() const { return mark_->synced_change() < change_; }
  std::string ParentDirectory() const {
    return options_.dir.substr(0, options_.dir.rfind('/'));
  }
  Status RebuildEpochs();
  Status RebuildProducers();
  Status FindProducers();
  // The newest snapshot at or before `at_most` that is readable. Returns the
  // offset from which on batches are to be applied.
  Result<Offset> LoadSnapshot(Offset at_most, ProducerState* producers);
  // The batches of a segment from `from` on. `aborted` may be null.
  Status ApplySegment(size_t index, Offset from, ProducerState* producers,
                      std::vector<AbortedTransaction>* aborted);
  // Writes the transaction indexes of segments from `first` to `last` anew.
  Status IndexTransactions(size_t first, size_t last);
  // For whoever needs the state of the producers.
  Status FreshProducers();
  Status RefillProducers(Offset below);
  Status WalkHeaders(
      const Segment& segment, uint64_t from,
      const std::function<Status(const record::BatchHeader&, uint64_t)>& each);

  // log_reader.cc
  size_t SegmentIndex(Offset offset) const;
  // The first batch of the segment that ends at or behind `offset`.
  Result<std::optional<Found>> Locate(const Segment& segment, Offset offset);
  uint64_t FloorFromHints(const Segment& segment, Offset offset) const;
  std::optional<Place> PlaceOf(Offset base) const;
  // The same for an offset of which much may be known.
  Result<std::optional<Found>> FirstIn(const Segment& segment, Offset from);
  // Where the batches below `limit` end in the segment.
  Result<uint64_t> EndBelow(size_t segment, Offset limit);
  void Remember(Offset next, const Segment& segment, uint64_t position);
  Result<SharedBytes> ReadFrom(const Segment& segment, const Found& first,
                               Offset limit, size_t max_bytes);
  Result<std::optional<TimestampedOffset>> FindInSegment(const Segment& segment,
                                                         int64_t timestamp_ms);
  Result<std::string> ReadBatch(const Segment& segment, const Found& batch);

  // retention.cc
  struct CutPlace {
    uint64_t position = 0;
    Offset end = 0;
  };
  Status Cut(Offset offset, bool damaged);
  Status CutAt(Offset offset, bool damaged);
  Status TryCutAt(Offset offset, bool damaged);
  Result<std::optional<CutPlace>> PlaceToCut(const Segment& segment,
                                             Offset offset, bool damaged);
  Status CutFully(Offset offset);
  Status TryCutFully(Offset offset);
  Status BeginCut(Offset offset, bool fully);
  Status DropSegmentsBehind(size_t keep);
  // The log ends here now, and so does what is known of it.
  void EndAt(Offset end);
  Status DropFirstSegment();
  Status DropSegmentsBelowStart();
  Status RemoveSnapshots(Offset from, Offset below);
  void ForgetPlaces();
  // Of a log that has been cleaned up to there the rest is dirty.
  void CleanAtMost(Offset offset);

  // log_compaction.cc
  // Whether offsets may be missing between the batches of a segment. Segments
  // follow each other without.
  bool MayHaveGaps() const { return options_.config.compacted || gaps_; }
  // So that a scan knows it, too: it is on disk before any gap is.
  Status NoteGaps();
  void LoadForgotten(const std::vector<std::string>& names);
  // The file that says so is new, those of before are returned.
  Result<std::vector<std::string>> NoteForgotten(const Forgotten& forgotten);
  Result<bool> IsOverdue(const Segment& segment, int64_t now_ms) const;
  void SettleSwap();
  // Waits for the disk.
  Status FinishSwap();
  // What a crash has left of one.
  Status RecoverSwaps(std::vector<std::string>* names);
  struct SwapEnd {
    Offset offset = 0;
    bool whole = false;
  };
  Result<SwapEnd> EndOfSwap(const std::string& path, Offset base) const;
  Status RecoverSwap(Offset base, const std::vector<std::string>& names);
  bool IsExpired(const Segment& segment, int64_t now_ms) const;

  io::FileSystem& fs_;
  OpenOptions options_;
  std::vector<std::unique_ptr<Segment>> segments_;  // by base, never empty
  EpochCache epochs_;
  bool epochs_dirty_ = false;
  ProducerState producers_;
  bool producers_stale_ = false;  // a cut took some; see FreshProducers
  bool has_aborted_ = false;      // transactions, maybe
  bool saw_markers_ = false;      // while scanning
  Verifications verifications_;
  std::vector<Offset> snapshots_;  // on disk, ascending
  bool gaps_ = false;              // there is a kGapsFile
  Forgotten forgotten_;
  std::vector<std::string> forgotten_files_;  // that say so
  Offset first_dirty_ = 0;  // everything in front of it is clean
  // Of the segment at `swap_base_`, which is called either; nullptr: there is
  // none.
  std::shared_ptr<NameSwap> swap_;
  Offset swap_base_ = 0;
  uint64_t swapped_change_ = 0;  // of the last one
  std::set<Offset> swapped_;     // while opening: without indexes

  Offset start_ = 0;
  Durability durability_;
  const std::shared_ptr<LogMark> mark_;
  std::optional<JournalReplay> journal_;  // while opening
  Offset promised_ = 0;                   // then, by checkpoint and journal
  bool opening_ = true;                   // what is done is not news to anybody
  // Where in active() lies what no work has taken yet; nullopt: not known, or
  // there is more in other segments.
  std::optional<uint64_t> taken_position_;
  bool in_progress_ = false;  // a work of this generation
  bool failed_ = false;
  bool changed_ = false;  // since the last Close

  // Files and directory entries that the next SyncWork has to cover, each
  // with the change that made it.
  uint64_t change_ = 0;
  uint64_t created_change_ = 0;  // that made the directory; 0: none
  uint64_t in_place_until_ = 0;  // nothing is journalled before it is synced
  std::vector<std::pair<uint64_t, std::shared_ptr<io::File>>> new_files_;

  std::array<Place, 16> places_;  // of the newest batches of active()
  size_t next_place_ = 0;
  std::array<ReadHint, 8> hints_;
  size_t next_hint_ = 0;
  NewestBatches newest_;
};

}  // namespace tidemark::log
