#include <glog/logging.h>

#include <algorithm>

#include "broker/log/checkpoint.h"
#include "broker/log/compaction.h"
#include "broker/log/partition_log.h"

namespace tidemark::log {
namespace {

constexpr size_t kCutWindow = 8 * 1024;

}  // namespace

Status RemoveFiles(io::FileSystem& fs, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (fs.Exists(path)) TM_RETURN_IF_ERROR(fs.Remove(path));
  }
  return {};
}

Status RenameDeleted(io::FileSystem& fs, std::vector<std::string>* paths) {
  for (std::string& path : *paths) {
    if (path.ends_with(kDeletedSuffix)) continue;
    if (!fs.Exists(path)) continue;
    TM_RETURN_IF_ERROR(fs.Rename(path, path + kDeletedSuffix));
    path += kDeletedSuffix;
  }
  std::erase_if(*paths, [](const std::string& path) {
    return !path.ends_with(kDeletedSuffix);
  });
  return {};
}

void PartitionLog::ForgetPlaces() {
  places_.fill({});
  hints_.fill({});
}

// Works in progress are void from here on, and the mark is at the cut before
// anything else is: a checkpoint that is written meanwhile is right, too.
//
// The cut is noted before it begins and synced before it ends, so that what is
// written behind it never meets on disk what was there before. In between,
// recovery finds the log as it was, or as it will be, or less than either.
Status PartitionLog::BeginCut(Offset offset, bool fully) {
  // A segment that is cut must not be what a crash puts others back for.
  TM_RETURN_IF_ERROR(FinishSwap());
  if (swapped_change_ > mark_->synced_change()) {
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
    swapped_change_ = 0;
  }
  CleanAtMost(fully ? 0 : offset);
  durability_.BeginCut();
  in_progress_ = false;
  taken_position_.reset();
  newest_.Clear();
  mark_->Cut(durability_.generation(), offset);
  options_.recovery_point = std::min(options_.recovery_point, offset);
  if (opening_) return {};
  if (journalled()) {
    TM_RETURN_IF_ERROR(options_.journal(
        fully ? JournalRecord::Kind::kStartOver : JournalRecord::Kind::kCut,
        offset));
  } else if (options_.before_cut) {
    TM_RETURN_IF_ERROR(options_.before_cut(offset));
  }
  return {};
}

Status PartitionLog::RemoveSnapshots(Offset from, Offset below) {
  Status removed;
  std::erase_if(snapshots_, [&](Offset snapshot) {
    if (!removed || snapshot < from || snapshot >= below) return false;
    removed = RemoveFiles(fs_, {Path(SegmentFileName(snapshot, ".snapshot"))});
    return removed.has_value();
  });
  return removed;
}

// From the newest to the oldest, so that a crash in between leaves a log
// without holes; so does a disk that has no room to remove more. Until the cut
// is tried again the log is what is left. Then, and without a descriptor, the
// directory is synced together with the next batch, which is not acknowledged
// from a journal.
Status PartitionLog::DropSegmentsBehind(size_t keep) {
  if (segments_.size() <= keep) return {};
  ++change_;
  Offset left = end();
  Status removed;
  while (segments_.size() > keep) {
    removed = segments_.back()->Remove();
    if (!removed) break;
    left = segments_.back()->base_offset();
    segments_.pop_back();
  }
  if (!opening_) EndAt(std::max(start_, left));
  if (removed) {
    removed = fs_.SyncDirectory(options_.dir);
    if (removed || !io::IsShortage(removed.error())) return removed;
    removed = {};
  }
  in_place_until_ = change_;
  return removed;
}

Status PartitionLog::TruncateTo(Offset offset) { return Cut(offset, false); }

Status PartitionLog::TruncateDamaged(Offset offset) {
  return Cut(offset, true);
}

Status PartitionLog::Cut(Offset offset, bool damaged) {
  TM_RETURN_IF_ERROR(Healthy());
  if (offset < start_) return TruncateFullyAndStartAt(offset);
  if (offset < end()) TM_RETURN_IF_ERROR(Note(CutAt(offset, damaged)));
  // Also when no batch goes: an epoch that starts at the end of the log would
  // be offered to the leader again and again (KAFKA-10706).
  if (epochs_.TruncateFromEnd(offset)) {
    changed_ = true;
    EpochsChanged(offset);
  }
  CheckInvariants();
  return {};
}

// The first batch of the segment that is not wholly in front of `offset`, and
// the log's end without it. Where the headers cannot be believed, nothing
// behind the first that is wrong stays.
Result<std::optional<PartitionLog::CutPlace>> PartitionLog::PlaceToCut(
    const Segment& segment, Offset offset, bool damaged) {
  uint64_t from = 0;
  // Where offsets are missing, the log ends behind what is in front of them.
  if (!damaged && !MayHaveGaps()) {
    TM_ASSIGN_OR_RETURN(from, segment.Floor(offset));
  }
  Offset expected = segment.base_offset();
  TM_ASSIGN_OR_RETURN(
      auto cursor, segment.Walk(from, BatchCursor::Want::kHeaders, kCutWindow));
  while (true) {
    const uint64_t position = cursor.position();
    const auto item = cursor.Next();
    if (!item && item.error().code == ErrorCode::kKafkaStorageError) {
      return Fail(item.error());
    }
    if (!item && io::IsPassing(item.error())) return Fail(item.error());
    if (item && !*item) return std::nullopt;
    if (!item || (*item)->header.base_offset < expected) {
      if (!damaged) return PlaceToCut(segment, offset, true);
      return CutPlace{position, std::min(offset, expected)};
    }
    const record::BatchHeader& header = (*item)->header;
    if (header.LastOffset() >= offset) {
      return CutPlace{
          position,
          std::min(offset, MayHaveGaps() ? expected : header.base_offset)};
    }
    expected = header.NextOffset();
  }
}

Status PartitionLog::CutAt(Offset offset, bool damaged) {
  const Status cut = TryCutAt(offset, damaged);
  mark_->CutDone(durability_.generation());
  return cut;
}

Status PartitionLog::CutFully(Offset offset) {
  const Status cut = TryCutFully(offset);
  mark_->CutDone(durability_.generation());
  return cut;
}

Status PartitionLog::TryCutAt(Offset offset, bool damaged) {
  changed_ = true;
  const size_t index = SegmentIndex(offset);
  TM_ASSIGN_OR_RETURN(const auto found,
                      PlaceToCut(*segments_[index], offset, damaged));
  const Offset end = std::max(start_, found ? found->end : offset);
  TM_RETURN_IF_ERROR(BeginCut(end, false));
  // Gone for good before new batches take these offsets: a snapshot that came
  // back after a crash would tell of producers of the batches cut now.
  if (!snapshots_.empty() && snapshots_.back() > end) {
    TM_RETURN_IF_ERROR(RemoveSnapshots(end + 1, INT64_MAX));
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  }
  ForgetPlaces();
  TM_RETURN_IF_ERROR(DropSegmentsBehind(index + 1));
  if (found) {
    TM_RETURN_IF_ERROR(segments_[index]->TruncateTo(found->position, end));
  }
  EndAt(end);
  if (!producers_stale_) return {};
  // The cut is done; without descriptors the next append tries again.
  const Status rebuilt = FreshProducers();
  return !rebuilt && io::IsShortage(rebuilt.error()) ? Status() : rebuilt;
}

void PartitionLog::EndAt(Offset end) {
  durability_.Cut(end);
  mark_->Cut(durability_.generation(), end);
  options_.recovery_point = std::min(options_.recovery_point, end);
  if (epochs_.TruncateFromEnd(end)) EpochsChanged(end);
  if (!producers_.TruncateTo(end)) producers_stale_ = true;
}

Status PartitionLog::TruncateFullyAndStartAt(Offset offset) {
  TM_RETURN_IF_ERROR(Healthy());
  if (offset < 0 || offset > kMaxOffset) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "no log starts at " + std::to_string(offset));
  }
  TM_RETURN_IF_ERROR(Note(CutFully(offset)));
  CheckInvariants();
  return {};
}

Status PartitionLog::TryCutFully(Offset offset) {
  TM_RETURN_IF_ERROR(BeginCut(offset, true));
  changed_ = true;
  ForgetPlaces();
  TM_RETURN_IF_ERROR(RemoveSnapshots(0, INT64_MAX));
  // Removed rather than emptied, which takes no space; without the file the
  // batches tell the epochs.
  const std::string epochs = Path("leader-epoch-checkpoint");
  if (fs_.Exists(epochs)) TM_RETURN_IF_ERROR(fs_.Remove(epochs));
  TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  // What a crash has brought back: no other has its start in it.
  while (segments_.size() > 1 && segments_[1]->base_offset() <= start_) {
    TM_RETURN_IF_ERROR(DropFirstSegment());
  }
  TM_RETURN_IF_ERROR(DropSegmentsBehind(0));
  producers_.Clear();
  producers_stale_ = false;
  epochs_.Clear();
  EpochsChanged(0);
  auto segment = std::make_unique<Segment>(fs_, options_.dir, offset);
  const Status created = segment->Create();
  if (!created && !io::IsShortage(created.error())) return created;
  ++change_;
  segments_.push_back(std::move(segment));
  start_ = offset;
  durability_.AllSafe(offset);
  mark_->SetStart(offset);
  mark_->Synced(durability_.generation(), offset, 0);
  return {};
}

Status PartitionLog::DropFirstSegment() {
  const Offset base = segments_.front()->base_offset();
  const Offset next = segments_[1]->base_offset();
  std::vector<std::string> files = segments_.front()->Files();
  // The one at `next` stays: producers of the first segment left start there.
  for (const Offset snapshot : snapshots_) {
    if (snapshot >= next) continue;
    files.push_back(Path(SegmentFileName(snapshot, ".snapshot")));
  }
  if (options_.remove_later) {
    options_.remove_later(std::move(files),
                          options_.config.file_delete_delay_ms);
  } else {
    TM_RETURN_IF_ERROR(RemoveFiles(fs_, files));
  }
  segments_.erase(segments_.begin());
  std::erase_if(snapshots_, [&](Offset snapshot) { return snapshot < next; });
  ++change_;
  LOG(INFO) << "segment deleted partition=" << ToString(options_.partition)
            << " base_offset=" << base << " start_offset=" << start_;
  return {};
}

Status PartitionLog::DropSegmentsBelowStart() {
  SettleSwap();
  // One whose names are being changed goes when retention comes again.
  while (segments_.size() > 1 && segments_[1]->base_offset() <= start_ &&
         !segments_.front()->moving()) {
    TM_RETURN_IF_ERROR(Note(DropFirstSegment()));
  }
  return {};
}

Status PartitionLog::AdvanceStartOffset(Offset offset) {
  TM_RETURN_IF_ERROR(Healthy());
  if (offset <= start_) return {};
  if (offset > end()) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "start offset " + std::to_string(offset) +
                    " is behind the end " + std::to_string(end()));
  }
  changed_ = true;
  start_ = offset;
  durability_.StartedAt(start_);
  mark_->SetStart(start_);
  TM_RETURN_IF_ERROR(DropSegmentsBelowStart());
  // The file may tell more.
  if (epochs_.TruncateFromStart(start_)) EpochsChanged(INT64_MAX);
  CheckInvariants();
  return {};
}

bool PartitionLog::IsExpired(const Segment& segment, int64_t now_ms) const {
  if (options_.config.retention_ms < 0) return false;
  const int64_t newest = segment.NewestTimestamp();
  return newest >= 0 && now_ms - newest > options_.config.retention_ms;
}

Result<int> PartitionLog::ApplyRetention(Offset high_watermark,
                                         int64_t now_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  if (producers_stale_) {
    // Until then nothing of the log is stable.
    const Status fresh = Note(FreshProducers());
    if (!fresh && failed()) return Fail(fresh.error());
  }
  if (!producers_stale_) {
    producers_.Expire(now_ms, options_.config.producer_expiration_ms);
  }
  verifications_.Expire(now_ms, options_.config.producer_expiration_ms);
  // A crash may have brought some back, or left them.
  TM_RETURN_IF_ERROR(DropSegmentsBelowStart());
  for (size_t i = 0; i + 1 < segments_.size(); ++i) segments_[i]->Release();
  if (!options_.config.delete_enabled) return 0;
  const int64_t keep_bytes = options_.config.retention_bytes;
  int dropped = 0;
  int64_t size = size_bytes();
  while (active().size() > 0) {
    const Segment& oldest = *segments_.front();
    if (oldest.moving()) break;
    const Offset next =
        segments_.size() > 1 ? segments_[1]->base_offset() : end();
    if (next > high_watermark) break;
    const auto oldest_size = static_cast<int64_t>(oldest.size());
    const bool expired = IsExpired(oldest, now_ms);
    const bool too_much = keep_bytes >= 0 && size - oldest_size >= keep_bytes &&
                          segments_.size() > 1;
    if (!expired && !too_much) break;
    if (segments_.size() == 1) TM_RETURN_IF_ERROR(Roll());
    TM_RETURN_IF_ERROR(AdvanceStartOffset(next));
    size -= oldest_size;
    ++dropped;
  }
  return dropped;
}

}  // namespace tidemark::log
