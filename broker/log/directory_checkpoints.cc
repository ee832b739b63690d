// The checkpoint files of a LogDirectory (B-27).

#include <algorithm>
#include <utility>

#include "broker/log/log_directory.h"

namespace tidemark::log {
namespace {

constexpr char kEpochFile[] = "leader-epoch-checkpoint";

}  // namespace

Status LogDirectory::ReadCheckpoints() {
  const std::string prefix = path_ + "/";
  TM_ASSIGN_OR_RETURN(recovery_points_,
                      ReadOffsets(fs_, prefix + kRecoveryPointFile));
  TM_ASSIGN_OR_RETURN(high_watermarks_,
                      ReadOffsets(fs_, prefix + kHighWatermarkFile));
  TM_ASSIGN_OR_RETURN(starts_, ReadOffsets(fs_, prefix + kLogStartFile));
  TM_ASSIGN_OR_RETURN(first_dirty_, ReadOffsets(fs_, prefix + kCleanerFile));
  written_recovery_points_ = recovery_points_;
  written_starts_ = starts_;
  written_first_dirty_ = first_dirty_;
  written_high_watermarks_ = high_watermarks_;
  // A deletion may have been cut short between the directory and the files.
  for (OffsetMap* offsets :
       {&recovery_points_, &high_watermarks_, &starts_, &first_dirty_}) {
    std::erase_if(*offsets, [&](const auto& entry) {
      return !std::binary_search(found_.begin(), found_.end(), entry.first);
    });
  }
  return {};
}

Status LogDirectory::WriteEpochs(const TopicPartition& partition, LogMark& mark,
                                 const LogMark::Checkpoint& checkpoint) {
  const std::string dir = PathOf(partition);
  const std::string path = dir + "/" + kEpochFile;
  const std::string tmp = path + ".tmp";
  const auto write = [&]() -> Status {
    TM_ASSIGN_OR_RETURN(auto file, fs_.Open(tmp, true));
    TM_RETURN_IF_ERROR(file->Truncate(0));
    TM_RETURN_IF_ERROR(file->WriteAt(0, checkpoint.epochs));
    TM_RETURN_IF_ERROR(file->Sync());
    TM_RETURN_IF_ERROR(mark.Put(checkpoint.epochs_version,
                                [&] { return fs_.Rename(tmp, path); }));
    return fs_.SyncDirectory(dir);
  };
  const Status written = write();
  // It may have been removed under our feet.
  if (!written && mark.removed()) return {};
  return written;
}

Status LogDirectory::WriteFile(const char* name, const OffsetMap& now,
                               OffsetMap* written) {
  OffsetMap offsets;
  {
    std::lock_guard lock(mutex_);
    if (now == *written) return {};
    offsets = now;
  }
  TM_RETURN_IF_ERROR(WriteOffsets(fs_, path_ + "/" + name, offsets));
  std::lock_guard lock(mutex_);
  *written = std::move(offsets);
  return {};
}

// The epochs of those whose recovery point moves: the scan after a crash finds
// the others in the batches.
Status LogDirectory::CollectCheckpoints(std::vector<Collected>* moved) {
  {
    std::lock_guard lock(mutex_);
    for (const auto& [partition, mark] : marks_) {
      const auto now = mark->checkpoint();
      if (!now) continue;
      const auto known = recovery_points_.find(partition);
      if (now->epochs_version == 0 && known != recovery_points_.end() &&
          known->second == now->recovery_point &&
          KnownOffset(starts_, partition) == now->start_offset &&
          KnownOffset(first_dirty_, partition) == now->first_dirty) {
        continue;
      }
      moved->push_back({partition, mark, *now});
    }
  }
  Status shortage;
  for (Collected& one : *moved) {
    if (one.now.epochs_version == 0) continue;
    const Status written = WriteEpochs(one.partition, *one.mark, one.now);
    if (written) continue;
    if (!io::IsShortage(written.error())) return written;
    shortage = written;
    one.mark = nullptr;  // as it was
  }
  return shortage;
}

Status LogDirectory::WriteCheckpoints() {
  if (health_->offline()) return {};
  std::lock_guard writing(files_mutex_);
  std::vector<Collected> moved;
  const Status collected = CollectCheckpoints(&moved);
  Status written;
  if (!collected && !io::IsShortage(collected.error())) {
    written = collected;
  } else {
    {
      std::lock_guard lock(mutex_);
      for (const Collected& one : moved) {
        const auto mark = marks_.find(one.partition);
        // Another log may have the name by now.
        if (mark == marks_.end() || mark->second != one.mark) continue;
        recovery_points_[one.partition] = one.now.recovery_point;
        starts_[one.partition] = one.now.start_offset;
        if (one.now.first_dirty > 0) {
          first_dirty_[one.partition] = one.now.first_dirty;
        } else {
          first_dirty_.erase(one.partition);
        }
      }
    }
    written = WriteFile(kRecoveryPointFile, recovery_points_,
                        &written_recovery_points_);
    if (written) {
      written = WriteFile(kLogStartFile, starts_, &written_starts_);
    }
    if (written) {
      written = WriteFile(kCleanerFile, first_dirty_, &written_first_dirty_);
    }
  }
  if (!written && !io::IsShortage(written.error())) {
    health_->TakeOffline(written.error());
  }
  return written ? collected : written;
}

std::optional<Offset> LogDirectory::HighWatermark(
    const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = high_watermarks_.find(partition);
  if (it == high_watermarks_.end()) return std::nullopt;
  return it->second;
}

void LogDirectory::SetHighWatermarks(const OffsetMap& offsets) {
  std::lock_guard lock(mutex_);
  for (const auto& [partition, offset] : offsets) {
    high_watermarks_[partition] = offset;
  }
}

Status LogDirectory::WriteHighWatermarks() {
  if (health_->offline()) return {};
  std::lock_guard writing(files_mutex_);
  const Status written = WriteFile(kHighWatermarkFile, high_watermarks_,
                                   &written_high_watermarks_);
  if (!written && !io::IsShortage(written.error())) {
    health_->TakeOffline(written.error());
  }
  return written;
}

}  // namespace tidemark::log
