#include <glog/logging.h>

#include <algorithm>

#include "broker/log/partition_log.h"

namespace tidemark::log {

void PartitionLog::ForgetPlaces() {
  places_.fill({});
  hints_.fill({});
}

Status PartitionLog::LowerRecoveryPoint(Offset offset) {
  if (offset >= options_.recovery_point) return {};
  if (options_.lower_recovery_point) {
    TM_RETURN_IF_ERROR(options_.lower_recovery_point(offset));
  }
  options_.recovery_point = offset;
  return {};
}

Status PartitionLog::RemoveSnapshots(Offset from, Offset below) {
  for (Offset snapshot : snapshots_) {
    if (snapshot < from || snapshot >= below) continue;
    const std::string path = Path(SegmentFileName(snapshot, ".snapshot"));
    if (fs_.Exists(path)) TM_RETURN_IF_ERROR(fs_.Remove(path));
  }
  std::erase_if(snapshots_, [&](Offset snapshot) {
    return snapshot >= from && snapshot < below;
  });
  return {};
}

// From the newest to the oldest, so that a crash in between leaves a log
// without holes. Without a descriptor the directory is synced together with
// the next batch.
Status PartitionLog::DropSegmentsBehind(size_t keep) {
  if (segments_.size() <= keep) return {};
  ++change_;
  while (segments_.size() > keep) {
    TM_RETURN_IF_ERROR(segments_.back()->Remove());
    segments_.pop_back();
  }
  const Status synced = fs_.SyncDirectory(options_.dir);
  return !synced && io::IsShortage(synced.error()) ? Status() : synced;
}

Status PartitionLog::TruncateTo(Offset offset) {
  TM_RETURN_IF_ERROR(Healthy());
  if (offset < start_) return TruncateFullyAndStartAt(offset);
  if (offset < end_) TM_RETURN_IF_ERROR(Note(CutAt(offset)));
  // Also when no batch goes: an epoch that starts at the end of the log would
  // be offered to the leader again and again (KAFKA-10706).
  if (epochs_.TruncateFromEnd(offset)) epochs_dirty_ = changed_ = true;
  CheckInvariants();
  return {};
}

Status PartitionLog::CutAt(Offset offset) {
  TM_RETURN_IF_ERROR(LowerRecoveryPoint(offset));
  changed_ = true;
  size_t index = SegmentIndex(offset);
  TM_ASSIGN_OR_RETURN(auto found, Locate(*segments_[index], offset));
  const Offset end =
      found ? std::min(offset, found->header.base_offset) : offset;
  // Gone for good before new batches take these offsets: a snapshot that came
  // back after a crash would tell of producers of the batches cut now.
  if (!snapshots_.empty() && snapshots_.back() > end) {
    TM_RETURN_IF_ERROR(RemoveSnapshots(end + 1, INT64_MAX));
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  }
  if (found) {
    TM_RETURN_IF_ERROR(segments_[index]->TruncateTo(found->position, end));
  }
  ++generation_;
  ForgetPlaces();
  TM_RETURN_IF_ERROR(NoteHalfDone(DropSegmentsBehind(index + 1)));
  end_ = std::max(end, start_);
  flushed_ = std::min(flushed_, end_);
  synced_ = std::min(synced_, end_);
  sync_taken_ = synced_;
  if (epochs_.TruncateFromEnd(end_)) epochs_dirty_ = true;
  if (producers_.TruncateTo(end_)) return {};
  producers_stale_ = true;
  // The cut is done; without descriptors the next append tries again.
  const Status rebuilt = FreshProducers();
  return !rebuilt && io::IsShortage(rebuilt.error()) ? Status() : rebuilt;
}

Status PartitionLog::TruncateFullyAndStartAt(Offset offset) {
  TM_RETURN_IF_ERROR(Healthy());
  TM_RETURN_IF_ERROR(Note(CutFully(offset)));
  CheckInvariants();
  return {};
}

Status PartitionLog::CutFully(Offset offset) {
  TM_RETURN_IF_ERROR(LowerRecoveryPoint(offset));
  ++generation_;
  changed_ = true;
  ForgetPlaces();
  TM_RETURN_IF_ERROR(RemoveSnapshots(0, INT64_MAX));
  // Removed rather than emptied, which takes no space; without the file the
  // batches tell the epochs.
  const std::string epochs = Path("leader-epoch-checkpoint");
  if (fs_.Exists(epochs)) TM_RETURN_IF_ERROR(fs_.Remove(epochs));
  TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  TM_RETURN_IF_ERROR(NoteHalfDone(DropSegmentsBehind(0)));
  producers_.Clear();
  producers_stale_ = false;
  epochs_.Clear();
  epochs_dirty_ = true;
  auto segment = std::make_unique<Segment>(fs_, options_.dir, offset);
  const Status created = segment->Create();
  if (!created && !io::IsShortage(created.error())) return created;
  ++change_;
  segments_.push_back(std::move(segment));
  start_ = end_ = flushed_ = synced_ = sync_taken_ = offset;
  return {};
}

Status PartitionLog::DropFirstSegment() {
  const Offset base = segments_.front()->base_offset();
  const Offset next = segments_[1]->base_offset();
  TM_RETURN_IF_ERROR(segments_.front()->Remove());
  segments_.erase(segments_.begin());
  ++change_;
  LOG(INFO) << "segment deleted partition=" << ToString(options_.partition)
            << " base_offset=" << base << " start_offset=" << start_;
  // The one at `next` stays: producers of the first segment left start there.
  return RemoveSnapshots(0, next);
}

Status PartitionLog::AdvanceStartOffset(Offset offset) {
  TM_RETURN_IF_ERROR(Healthy());
  if (offset <= start_) return {};
  if (offset > end_) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "start offset " + std::to_string(offset) +
                    " is behind the end " + std::to_string(end_));
  }
  changed_ = true;
  start_ = offset;
  flushed_ = std::max(flushed_, start_);
  while (segments_.size() > 1 && segments_[1]->base_offset() <= start_) {
    TM_RETURN_IF_ERROR(Note(DropFirstSegment()));
  }
  if (epochs_.TruncateFromStart(start_)) epochs_dirty_ = true;
  CheckInvariants();
  return {};
}

bool PartitionLog::IsExpired(const Segment& segment, int64_t now_ms) const {
  if (options_.config.retention_ms < 0) return false;
  const int64_t newest = segment.MaxTimestamp().timestamp_ms;
  return newest >= 0 && now_ms - newest > options_.config.retention_ms;
}

Result<int> PartitionLog::ApplyRetention(Offset high_watermark,
                                         int64_t now_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  if (!producers_stale_) {
    producers_.Expire(now_ms, options_.config.producer_expiration_ms);
  }
  for (size_t i = 0; i + 1 < segments_.size(); ++i) segments_[i]->Release();
  if (!options_.config.delete_enabled) return 0;
  const int64_t keep_bytes = options_.config.retention_bytes;
  int dropped = 0;
  int64_t size = size_bytes();
  while (active().size() > 0) {
    const Segment& oldest = *segments_.front();
    const Offset next =
        segments_.size() > 1 ? segments_[1]->base_offset() : end_;
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
