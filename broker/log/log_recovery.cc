#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <utility>

#include "broker/log/checkpoint.h"
#include "broker/log/partition_log.h"

namespace tidemark::log {
namespace {

constexpr size_t kScanWindow = 1 << 20;
constexpr size_t kHeaderWindow = 64 * 1024;
// How far back the batches of a producer are looked for when the snapshot
// tells only the last one.
constexpr uint64_t kRefillBytes = 2 << 20;

bool IsCorrupt(const Error& error) {
  return error.code != ErrorCode::kKafkaStorageError && !io::IsPassing(error);
}

std::optional<Uuid> ParsePartitionMetadata(std::string_view text) {
  constexpr std::string_view kTopicId = "topic_id: ";
  if (!text.starts_with("version: 0\n")) return std::nullopt;
  size_t at = text.find(kTopicId);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kTopicId.size());
  size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  return Uuid::Parse(text.substr(0, end));
}

}  // namespace

Result<std::optional<Uuid>> ReadTopicId(io::FileSystem& fs,
                                        const std::string& dir) {
  const std::string path = dir + "/" + kPartitionMetadataFile;
  if (!fs.Exists(path)) return std::nullopt;
  TM_ASSIGN_OR_RETURN(std::string text, io::ReadFile(fs, path));
  return ParsePartitionMetadata(text);
}

Result<std::unique_ptr<Log>> OpenLog(io::FileSystem& fs, OpenOptions options,
                                     int64_t now_ms) {
  auto log = std::make_unique<PartitionLog>(fs, std::move(options));
  TM_RETURN_IF_ERROR(log->Open(now_ms));
  return log;
}

Status PartitionLog::Open(int64_t now_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  if (Status opened = OpenOrRecover(now_ms); !opened) {
    if (io::IsShortage(opened.error())) return opened;
    return Note(std::move(opened));
  }
  CheckInvariants();
  return {};
}

// In a directory that nobody had before there is nothing to look for.
Status PartitionLog::Make() {
  TM_RETURN_IF_ERROR(fs_.CreateDirectories(options_.dir));
  created_change_ = ++change_;
  FindJournal();
  if (!options_.topic_id.IsZero()) TM_RETURN_IF_ERROR(WriteTopicId(true));
  start_ = options_.start_offset;
  segments_.push_back(std::make_unique<Segment>(fs_, options_.dir, start_));
  TM_RETURN_IF_ERROR(active().CreateInNew());
  ++change_;
  mark_->SetStart(start_);
  durability_.AllSafe(start_);
  return MakeSafe(true, true);
}

Status PartitionLog::OpenOrRecover(int64_t now_ms) {
  const bool there = fs_.Exists(options_.dir);
  TM_RETURN_IF_ERROR(options_.clean && !there ? Make() : Load(there, now_ms));
  if (HasChanges() && !options_.checkpointed) mark_->SetMade(change_);
  for (auto& segment : segments_) segment->Release();
  opening_ = false;
  journal_.reset();
  return {};
}

Status PartitionLog::Load(bool there, int64_t now_ms) {
  if (!there) {
    TM_RETURN_IF_ERROR(fs_.CreateDirectories(options_.dir));
    created_change_ = ++change_;
  }
  // A process that was killed may have left names that a power cut would still
  // take away; with a journal, the log directory is synced at start.
  if (!options_.clean) ++change_;
  if (!options_.clean && !journalled()) created_change_ = change_;
  TM_ASSIGN_OR_RETURN(auto names, fs_.List(options_.dir));
  TM_RETURN_IF_ERROR(LoadTopicId());
  FindJournal();
  TM_RETURN_IF_ERROR(RecoverSwaps(&names));
  gaps_ = std::find(names.begin(), names.end(), kGapsFile) != names.end();
  LoadForgotten(names);
  TM_RETURN_IF_ERROR(RemoveLeftovers(names));
  TM_RETURN_IF_ERROR(LoadSegments(names));
  const bool fresh = segments_.empty();
  if (fresh) {
    segments_.push_back(
        std::make_unique<Segment>(fs_, options_.dir, FirstOffset()));
    TM_RETURN_IF_ERROR(active().Create());
    ++change_;
  }
  TM_ASSIGN_OR_RETURN(const bool epochs_known, LoadEpochs());
  bool clean = options_.clean;
  for (size_t i = 0; clean && i + 1 < segments_.size(); ++i) {
    TM_RETURN_IF_ERROR(LoadSealed(i));
  }
  if (clean) {
    TM_ASSIGN_OR_RETURN(clean, LoadActive());
  }
  if (!clean) TM_RETURN_IF_ERROR(Recover());
  start_ = std::max(options_.start_offset, segments_.front()->base_offset());
  if (end() < start_) TM_RETURN_IF_ERROR(CutFully(start_));
  mark_->SetStart(start_);
  // Without the file it is that of another log by that name.
  first_dirty_ =
      gaps_ && options_.first_dirty <= end() ? options_.first_dirty : 0;
  mark_->SetFirstDirty(first_dirty_);
  // The file may be of a time when the log began later.
  const bool whole = epochs_known && epochs_.EpochOf(start_).has_value();
  if (!whole && end() > start_) TM_RETURN_IF_ERROR(RebuildEpochs());
  epochs_dirty_ |= epochs_.TruncateFromEnd(end() + 1);
  epochs_dirty_ |= epochs_.TruncateFromStart(start_);
  TM_RETURN_IF_ERROR(RemoveSnapshots(end() + 1, INT64_MAX));
  TM_RETURN_IF_ERROR(RebuildProducers());
  producers_.Expire(now_ms, options_.config.producer_expiration_ms);
  has_aborted_ = std::any_of(
      segments_.begin(), segments_.end(),
      [](const auto& segment) { return segment->transactions().count() > 0; });
  TM_RETURN_IF_ERROR(MakeSafe(clean, fresh));
  // A process that was killed may have left a file that a power cut takes away,
  // but for what is below the recovery point.
  if (epochs_dirty_ || !options_.clean) {
    mark_->SetEpochs(epochs_.Encode(),
                     clean || !whole ? 0 : options_.recovery_point);
  }
  // With a mark the directory writes them, with many others.
  if (epochs_dirty_ && !options_.mark) TM_RETURN_IF_ERROR(TryWriteEpochs());
  return {};
}

// Where a log without a file begins.
Offset PartitionLog::FirstOffset() const {
  const auto over = journal_ ? journal_->plan->start_over() : std::nullopt;
  return over.value_or(options_.start_offset);
}

// What the checkpoints say is corrected before anything is read.
void PartitionLog::FindJournal() {
  mark_->SetKey({options_.topic_id, options_.partition.partition});
  if (options_.clean) return;
  promised_ = options_.recovery_point;
  if (!options_.find_journal) return;
  journal_ = options_.find_journal(mark_->key());
  if (!journal_) return;
  const JournalPlan& plan = *journal_->plan;
  options_.recovery_point =
      std::min(options_.recovery_point, plan.recovery_at_most());
  options_.start_offset = std::min(options_.start_offset, plan.start_at_most());
  options_.first_dirty =
      std::min(options_.first_dirty, plan.recovery_at_most());
  promised_ = std::max(options_.recovery_point, plan.promised());
}

// Whether nothing is here but what the checkpoint or the journal has, so that
// no power cut takes it away, and nothing that comes from one brings more.
bool PartitionLog::IsSafe(bool checkpointed) const {
  if (!options_.find_journal || end() != promised_) return false;
  if (journal_) return !journal_->plan->cut();
  return checkpointed;
}

// What was found or put together here is synced before anybody relies on it,
// unless the journal still has it: then it is synced behind, as ever. A log
// without a file waits for its first batch.
Status PartitionLog::MakeSafe(bool clean, bool fresh) {
  const bool safe = options_.clean ? clean : IsSafe(options_.checkpointed);
  mark_->Synced(durability_.generation(),
                options_.clean && clean
                    ? end()
                    : std::min(options_.recovery_point, end()),
                0);
  if (!options_.clean && (journal_ || !safe))
    TM_RETURN_IF_ERROR(NoteMetadata());
  if (!safe && (!fresh || journalled())) return SyncAll();
  durability_.AllSafe(end());
  taken_position_ = active().size();
  return {};
}

Status PartitionLog::LoadTopicId() {
  TM_ASSIGN_OR_RETURN(const auto id, ReadTopicId(fs_, options_.dir));
  if (id) {
    if (options_.topic_id.IsZero()) options_.topic_id = *id;
    if (*id == options_.topic_id) return {};
    return Fail(ErrorCode::kInconsistentTopicId,
                options_.dir + " belongs to topic id " + ToString(*id) +
                    ", not " + ToString(options_.topic_id));
  }
  // A crash right after the creation may lose it: it is synced with the first
  // batch, or is in a journal before. Nothing acknowledged is in such a
  // directory.
  if (options_.topic_id.IsZero()) options_.topic_id = options_.lost_topic_id;
  return options_.topic_id.IsZero() ? Status() : WriteTopicId(false);
}

// The process that wrote it may have been killed before it was synced.
Status PartitionLog::NoteMetadata() {
  ++change_;
  if (!fs_.Exists(Path(kPartitionMetadataFile))) return {};
  TM_ASSIGN_OR_RETURN(auto file, fs_.Open(Path(kPartitionMetadataFile), false));
  NoteNewFile(std::move(file));
  return {};
}

Status PartitionLog::WriteTopicId(bool first) {
  TM_ASSIGN_OR_RETURN(auto file, fs_.Open(Path(kPartitionMetadataFile), true));
  if (!first) TM_RETURN_IF_ERROR(file->Truncate(0));
  TM_RETURN_IF_ERROR(file->WriteAt(
      0, "version: 0\ntopic_id: " + ToString(options_.topic_id) + "\n"));
  NoteNewFile(std::move(file));
  return {};
}

Status PartitionLog::AdoptTopicId(const Uuid& topic_id) {
  TM_RETURN_IF_ERROR(Healthy());
  if (options_.topic_id == topic_id) return {};
  if (!options_.topic_id.IsZero()) {
    return Fail(
        ErrorCode::kInconsistentTopicId,
        options_.dir + " belongs to topic id " + ToString(options_.topic_id));
  }
  options_.topic_id = topic_id;
  mark_->SetKey({options_.topic_id, options_.partition.partition});
  if (Status written = Note(WriteTopicId(false)); !written) {
    options_.topic_id = Uuid();  // so that it is tried again
    mark_->SetKey({options_.topic_id, options_.partition.partition});
    return written;
  }
  // A journal knows the log by its id: that is there first.
  return journalled() ? Note(SyncAll()) : Status();
}

Status PartitionLog::RemoveLeftovers(const std::vector<std::string>& names) {
  const std::set<std::string> all(names.begin(), names.end());
  for (const std::string& name : names) {
    bool leftover = name.ends_with(".tmp") || name.ends_with(kCleanedSuffix) ||
                    name.ends_with(kDeletedSuffix);
    for (std::string_view suffix : {".index", ".timeindex", ".txnindex"}) {
      if (auto base = ParseSegmentFileName(name, suffix)) {
        leftover |= !all.contains(SegmentFileName(*base, ".log"));
      }
    }
    if (leftover) TM_RETURN_IF_ERROR(fs_.Remove(Path(name)));
  }
  return {};
}

Status PartitionLog::LoadSegments(const std::vector<std::string>& names) {
  for (const std::string& name : names) {  // sorted, as are their offsets
    if (auto base = ParseSegmentFileName(name, ".log")) {
      segments_.push_back(std::make_unique<Segment>(fs_, options_.dir, *base));
    } else if (auto snapshot = ParseSegmentFileName(name, ".snapshot")) {
      snapshots_.push_back(*snapshot);
    }
  }
  return {};
}

Result<bool> PartitionLog::LoadEpochs() {
  const std::string path = Path("leader-epoch-checkpoint");
  if (!fs_.Exists(path)) return false;
  TM_ASSIGN_OR_RETURN(std::string text, io::ReadFile(fs_, path));
  auto epochs = EpochCache::Decode(text);
  if (!epochs) {
    LOG(WARNING) << "epochs rebuilt partition=" << ToString(options_.partition)
                 << " reason=" << epochs.error().message;
    return false;
  }
  epochs_ = std::move(*epochs);
  return true;
}

Status PartitionLog::LoadSealed(size_t index) {
  Segment& segment = *segments_[index];
  Status loaded = segment.Load();
  if (!loaded && !IsCorrupt(loaded.error())) return loaded;
  if (loaded && !swapped_.contains(segment.base_offset())) return {};
  return RebuildIndexes(segment);
}

// A bad batch in a segment that was synced long ago ends the walk, no more:
// whoever reads there finds it.
Status PartitionLog::WalkHeaders(
    const Segment& segment, uint64_t from,
    const std::function<Status(const record::BatchHeader&, uint64_t)>& each) {
  TM_ASSIGN_OR_RETURN(
      auto cursor,
      segment.Walk(from, BatchCursor::Want::kHeaders, kHeaderWindow));
  while (true) {
    auto item = cursor.Next();
    if (!item && IsCorrupt(item.error())) {
      LOG(WARNING) << "bad batch partition=" << ToString(options_.partition)
                   << " base_offset=" << segment.base_offset()
                   << " position=" << cursor.position()
                   << " reason=" << item.error().message;
      return {};
    }
    TM_RETURN_IF_ERROR(item);
    if (!*item) return {};
    TM_RETURN_IF_ERROR(each((*item)->header, (*item)->position));
  }
}

Status PartitionLog::RebuildIndexes(Segment& segment) {
  LOG(WARNING) << "indexes rebuilt partition=" << ToString(options_.partition)
               << " base_offset=" << segment.base_offset();
  TM_RETURN_IF_ERROR(segment.ResetIndexes());
  TM_RETURN_IF_ERROR(WalkHeaders(
      segment, 0, [&](const record::BatchHeader& header, uint64_t position) {
        return segment.Adopt(header, position,
                             options_.config.index_interval_bytes);
      }));
  TM_ASSIGN_OR_RETURN(auto files, segment.Seal());
  for (auto& file : files) NoteNewFile(std::move(file));
  changed_ = true;
  const size_t index = SegmentIndex(segment.base_offset());
  return IndexTransactions(index, index);
}

// False: the active segment is not as a clean stop leaves it.
Result<bool> PartitionLog::LoadActive() {
  Status loaded = active().Load();
  if (loaded) {
    auto end = active().ScanTail();
    if (end) {
      durability_.AllSafe(*end);
      return true;
    }
    loaded = Fail(end.error());
  }
  if (!IsCorrupt(loaded.error())) return Fail(loaded.error());
  LOG(WARNING) << "clean stop, but scan needed partition="
               << ToString(options_.partition)
               << " reason=" << loaded.error().message;
  return false;
}

Status PartitionLog::Recover() {
  changed_ = true;
  // What is behind the recovery point may be torn, or of what was cut; the
  // epochs there are learned from the batches.
  TM_RETURN_IF_ERROR(RemoveSnapshots(options_.recovery_point + 1, INT64_MAX));
  epochs_dirty_ |= epochs_.TruncateFromEnd(options_.recovery_point);
  TM_RETURN_IF_ERROR(Scan());
  const Offset scanned_from =
      segments_[SegmentIndex(options_.recovery_point)]->base_offset();
  // What comes from the journal is not synced in the segments.
  options_.recovery_point = std::min(options_.recovery_point, end());
  if (journal_) TM_RETURN_IF_ERROR(Replay());
  return saw_markers_ ? IndexTransactions(SegmentIndex(scanned_from),
                                          segments_.size() - 1)
                      : Status();
}

Status PartitionLog::Scan() {
  const size_t first = SegmentIndex(options_.recovery_point);
  for (size_t i = 0; i < first; ++i) TM_RETURN_IF_ERROR(LoadSealed(i));
  Offset expected = segments_[first]->base_offset();
  LeaderEpoch last_epoch = -1;
  for (size_t i = first; i < segments_.size(); ++i) {
    const Offset base = segments_[i]->base_offset();
    const bool hole = base != expected;
    bool intact = false;
    if (!hole) {
      expected = base;
      TM_ASSIGN_OR_RETURN(intact, ScanSegment(i, &expected, &last_epoch));
    }
    // Behind the last batch of a segment there may be what a full disk took of
    // another one; nothing is missing when the next goes on from there.
    const bool whole = !hole && i + 1 < segments_.size() &&
                       segments_[i + 1]->base_offset() == expected;
    if (intact || whole) continue;
    const size_t keep = hole ? i : i + 1;
    if (keep < segments_.size()) {
      LOG(WARNING) << "segments cut partition=" << ToString(options_.partition)
                   << " count=" << segments_.size() - keep
                   << " end_offset=" << expected;
      TM_RETURN_IF_ERROR(DropSegmentsBehind(keep));
    }
    break;
  }
  durability_.AllSafe(expected);
  return {};
}

// Where the log holds less than was promised, it is appended to.
Status PartitionLog::Replay() {
  for (const JournalPlan::Append& append : journal_->plan->appends()) {
    if (append.until <= end()) continue;
    TM_ASSIGN_OR_RETURN(const bool fits, ReplayAppend(append));
    if (fits) continue;
    LOG(ERROR) << "journal goes on where the log does not partition="
               << ToString(options_.partition) << " end_offset=" << end()
               << " append=" << append.base;
    return {};
  }
  return {};
}

Result<bool> PartitionLog::ReplayAppend(const JournalPlan::Append& append) {
  if (append.base > end()) return false;
  TM_ASSIGN_OR_RETURN(const std::string bytes, journal_->read(append));
  record::BatchIterator all(bytes);
  while (true) {
    auto batch = all.Next();
    if (!batch) return false;
    if (!*batch) return true;
    const record::BatchHeader& header = (*batch)->header;
    if (header.NextOffset() > append.until) return true;
    if (header.NextOffset() <= end()) continue;
    // A hole between appends is seen above; within one it is compaction's.
    const bool fits = header.base_offset == end() ||
                      (header.base_offset > end() && MayHaveGaps());
    if (!fits ||
        header.leader_epoch < epochs_.EpochOf(end() - 1).value_or(-1)) {
      return false;
    }
    epochs_dirty_ |= epochs_.Observe(header.leader_epoch, header.base_offset,
                                     header.LastOffset());
    TM_RETURN_IF_ERROR(AppendRun({header}, (*batch)->bytes));
  }
}

// False: it ended with something that is no batch, which was cut off.
Result<bool> PartitionLog::ScanSegment(size_t index, Offset* expected,
                                       LeaderEpoch* last_epoch) {
  Segment& segment = *segments_[index];
  Status loaded = segment.Load();
  if (!loaded && !IsCorrupt(loaded.error())) return Fail(loaded.error());
  TM_RETURN_IF_ERROR(segment.ResetIndexes());
  TM_ASSIGN_OR_RETURN(
      auto cursor,
      segment.Walk(0, BatchCursor::Want::kWholeBatches, kScanWindow));
  std::string problem;
  uint64_t good = 0;
  while (true) {
    auto item = cursor.Next();
    if (!item && !IsCorrupt(item.error())) return Fail(item.error());
    if (!item) problem = item.error().message;
    if (!item || !*item) break;
    const record::BatchHeader& header = (*item)->header;
    const Offset last = header.LastOffset();
    const bool gap = header.base_offset != *expected && !MayHaveGaps();
    if (gap || header.base_offset < *expected || last < header.base_offset ||
        last - segment.base_offset() > INT32_MAX) {
      problem = "offset " + std::to_string(header.base_offset) + " where " +
                std::to_string(*expected) + " is next";
      break;
    }
    if (header.leader_epoch < *last_epoch) {
      problem = "epoch " + std::to_string(header.leader_epoch) + " behind " +
                std::to_string(*last_epoch);
      break;
    }
    TM_RETURN_IF_ERROR(segment.Adopt(header, (*item)->position,
                                     options_.config.index_interval_bytes));
    epochs_dirty_ |=
        epochs_.Observe(header.leader_epoch, header.base_offset, last);
    saw_markers_ |= IsMarker(header);
    *last_epoch = header.leader_epoch;
    *expected = header.NextOffset();
    good = cursor.position();
  }
  const bool intact = problem.empty();
  if (!intact) {
    LOG(WARNING) << "log cut partition=" << ToString(options_.partition)
                 << " end_offset=" << *expected
                 << " bytes=" << segment.size() - good << " reason=" << problem;
    TM_RETURN_IF_ERROR(segment.TruncateTo(good, *expected));
  }
  if (index + 1 < segments_.size()) {
    TM_ASSIGN_OR_RETURN(auto files, segment.Seal());
    for (auto& file : files) NoteNewFile(std::move(file));
  }
  return intact;
}

Status PartitionLog::RebuildEpochs() {
  epochs_.Clear();
  for (const auto& segment : segments_) {
    TM_RETURN_IF_ERROR(
        WalkHeaders(*segment, 0,
                    [&](const record::BatchHeader& header, uint64_t) -> Status {
                      epochs_.Observe(header.leader_epoch, header.base_offset,
                                      header.LastOffset());
                      return {};
                    }));
    segment->Release();
  }
  epochs_dirty_ = true;
  return {};
}

Status PartitionLog::FreshProducers() {
  if (!producers_stale_) return {};
  TM_RETURN_IF_ERROR(RebuildProducers());
  producers_stale_ = false;
  return {};
}

Status PartitionLog::RebuildProducers() {
  const ProducerState before = std::exchange(producers_, {});
  Status rebuilt = FindProducers();
  if (rebuilt) {
    producers_.TakeUnsettled(before, end());
  } else {
    producers_ = before;
  }
  return rebuilt;
}

Result<Offset> PartitionLog::LoadSnapshot(Offset at_most,
                                          ProducerState* producers) {
  const Offset oldest = segments_.front()->base_offset();
  for (size_t i = snapshots_.size(); i-- > 0;) {
    if (snapshots_[i] > at_most || snapshots_[i] < oldest) continue;
    TM_ASSIGN_OR_RETURN(
        std::string bytes,
        io::ReadFile(fs_, Path(SegmentFileName(snapshots_[i], ".snapshot"))));
    if (producers->LoadSnapshot(bytes, snapshots_[i])) return snapshots_[i];
  }
  return oldest;
}

Status PartitionLog::FindProducers() {
  TM_ASSIGN_OR_RETURN(const Offset from, LoadSnapshot(end(), &producers_));
  if (!producers_.empty()) TM_RETURN_IF_ERROR(RefillProducers(from));
  if (from >= end()) return {};
  for (size_t i = SegmentIndex(from); i < segments_.size(); ++i) {
    TM_RETURN_IF_ERROR(ApplySegment(i, from, &producers_, nullptr));
  }
  return {};
}

Status PartitionLog::ApplySegment(size_t index, Offset from,
                                  ProducerState* producers,
                                  std::vector<AbortedTransaction>* aborted) {
  const Segment& segment = *segments_[index];
  TM_ASSIGN_OR_RETURN(const uint32_t floor, segment.Floor(from));
  return WalkHeaders(
      segment, floor,
      [&](const record::BatchHeader& header, uint64_t position) -> Status {
        if (header.base_offset < from) return {};
        std::string batch;
        if (IsMarker(header)) {
          TM_ASSIGN_OR_RETURN(batch, ReadBatch(segment, {header, position}));
          // One that has rotted might say the contrary. Whoever reads there
          // finds it, too, and until it is mended the transaction is open.
          if (!record::ParseAndVerifyBatch(batch)) return {};
        }
        const auto ended = producers->Apply(header, batch);
        if (ended && aborted != nullptr) aborted->push_back(*ended);
        return {};
      });
}

// An index is not touched before all that is to be in it is known.
Status PartitionLog::IndexTransactions(size_t first, size_t last) {
  ProducerState producers;
  TM_ASSIGN_OR_RETURN(
      const Offset from,
      LoadSnapshot(segments_[first]->base_offset(), &producers));
  for (size_t i = SegmentIndex(from); i <= last; ++i) {
    std::vector<AbortedTransaction> aborted;
    TM_RETURN_IF_ERROR(ApplySegment(i, from, &producers, &aborted));
    if (i < first) continue;
    TransactionIndex& index = segments_[i]->transactions();
    TM_RETURN_IF_ERROR(index.file().Remove());
    for (const AbortedTransaction& transaction : aborted) {
      TM_RETURN_IF_ERROR(index.Append(transaction));
    }
    if (aborted.empty() || i + 1 == segments_.size()) continue;
    TM_ASSIGN_OR_RETURN(auto file, index.file().FlushAndOpen());
    NoteNewFile(std::move(file));
  }
  return {};
}

// A snapshot knows the last batch of a producer; a client that lost our
// answers may repeat up to five.
Status PartitionLog::RefillProducers(Offset below) {
  // Where kRefillBytes before `below` are; segments may be small.
  const size_t last = SegmentIndex(below - 1);
  TM_ASSIGN_OR_RETURN(const uint32_t near, segments_[last]->Floor(below));
  size_t first = last;
  uint64_t behind = near;
  while (first > 0 && behind < kRefillBytes) {
    behind += segments_[--first]->size();
  }
  std::vector<record::BatchHeader> batches;
  for (size_t i = first; i <= last; ++i) {
    const uint64_t skipped =
        i == first && behind > kRefillBytes ? behind - kRefillBytes : 0;
    TM_ASSIGN_OR_RETURN(
        const uint32_t from,
        segments_[i]->FloorOfPosition(static_cast<uint32_t>(skipped)));
    TM_RETURN_IF_ERROR(
        WalkHeaders(*segments_[i], from,
                    [&](const record::BatchHeader& header, uint64_t) -> Status {
                      if (header.base_offset < below && header.HasProducerId())
                        batches.push_back(header);
                      return {};
                    }));
    if (i != last) segments_[i]->Release();
  }
  producers_.Refill(batches);
  return {};
}

}  // namespace tidemark::log
