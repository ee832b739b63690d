// The part of LogManager that moves logs between directories.

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <utility>

#include "broker/log/log_manager.h"
#include "broker/log/log_syncer.h"
#include "broker/log/move_names.h"

namespace tidemark::log {
namespace {

// Told of partitions that are not here; they may never come.
constexpr size_t kMostMadeIn = 10'000;

}  // namespace

LogManager::Directory* LogManager::FindDirectory(
    const std::string& path) const {
  for (const auto& dir : dirs_) {
    if (dir->at->path() == path) return dir.get();
  }
  return nullptr;
}

LogManager::Place* LogManager::PlaceIn(const TopicPartition& partition,
                                       const Directory& dir) {
  if (const auto it = places_.find(partition);
      it != places_.end() && it->second.dir == &dir) {
    return &it->second;
  }
  const auto [first, last] = doubles_.equal_range(partition);
  for (auto it = first; it != last; ++it) {
    if (it->second.dir == &dir) return &it->second;
  }
  return nullptr;
}

bool LogManager::IsMove(const TopicPartition& partition, const Place& a,
                        const Place& b) const {
  return a.topic_id == b.topic_id && !a.topic_id.IsZero() &&
         (a.dir->at->copies().contains(partition) !=
              b.dir->at->copies().contains(partition) ||
          a.dir->at->moved().contains(partition) !=
              b.dir->at->moved().contains(partition));
}

// Before logs are opened: no other thread is there.
Status LogManager::ResolveMoves() {
  const bool all_read = std::ranges::all_of(
      dirs_, [](const auto& dir) { return dir->at->read(); });
  for (const auto& dir : dirs_) {
    for (const TopicPartition& partition : dir->at->copies()) {
      TM_RETURN_IF_ERROR(ResolveCopy(partition, *dir, all_read));
    }
  }
  for (const auto& dir : dirs_) {
    for (const TopicPartition& partition : dir->at->moved()) {
      Place* const place = PlaceIn(partition, *dir);
      if (place == nullptr || dir->at->health().offline()) continue;
      Directory* const now_in = WhereItCounts(partition, *place);
      if (now_in != nullptr && !now_in->at->health().offline()) {
        LOG(WARNING) << "what was moved is removed partition="
                     << ToString(partition) << " dir=" << dir->at->path();
        TM_RETURN_IF_ERROR(Lose(partition, *dir));
        continue;
      }
      if (now_in == nullptr && all_read) {
        TM_RETURN_IF_ERROR(
            OrOffline(*dir, dir->at->RemoveMovedMark(partition)));
        continue;
      }
      place->error = Error{
          ErrorCode::kKafkaStorageError,
          ToString(partition) + " was moved to a directory that is offline"};
      ++dir->missing;
    }
  }
  // One of a partition goes on.
  std::set<TopicPartition> seen;
  std::erase_if(unfinished_, [&](const UnfinishedMove& move) {
    if (seen.insert(move.partition).second) return false;
    if (!move.folder.empty()) {
      removals_.push_back(
          {FindDirectory(move.directory)->at.get(), move.folder, {}});
    }
    return true;
  });
  return {};
}

// Where the log is that counts instead of that one, which was moved; nullptr:
// it is not seen.
LogManager::Directory* LogManager::WhereItCounts(
    const TopicPartition& partition, const Place& moved) {
  for (const auto& other : dirs_) {
    const Place* const place = PlaceIn(partition, *other);
    if (place != nullptr && place != &moved &&
        IsMove(partition, *place, moved) &&
        !other->at->moved().contains(partition)) {
      return other.get();
    }
  }
  return nullptr;
}

// The only error is a shortage.
Status LogManager::OrOffline(Directory& dir, const Status& done) {
  if (done || io::IsShortage(done.error())) return done;
  dir.at->health().TakeOffline(done.error());
  return {};
}

Status LogManager::ResolveCopy(const TopicPartition& partition, Directory& dir,
                               bool all_read) {
  Place* const copy = PlaceIn(partition, dir);
  if (copy == nullptr || dir.at->health().offline()) return {};
  Directory* original = nullptr;
  for (const auto& other : dirs_) {
    const Place* const place = PlaceIn(partition, *other);
    if (place != nullptr && IsMove(partition, *place, *copy)) {
      original = other.get();
    }
  }
  if (original == nullptr && !all_read) {
    copy->error = Error{ErrorCode::kKafkaStorageError,
                        ToString(partition) +
                            " is a copy of one that may be in a directory "
                            "that is offline"};
    ++dir.missing;
    return {};
  }
  if (original == nullptr) {
    return OrOffline(dir, dir.at->RemoveCopyMark(partition));
  }
  const std::string path = original->at->path() + "/" + ToString(partition);
  if (original->at->moved().contains(partition) || !fs_.Exists(path)) {
    LOG(WARNING) << "move finished partition=" << ToString(partition)
                 << " to=" << dir.at->path();
    // The copy keeps its mark: the journal may bring the original back.
    marked_.push_back({partition, &dir, original});
    return Lose(partition, *original);
  }
  LOG(WARNING) << "move begins anew partition=" << ToString(partition)
               << " to=" << dir.at->path();
  unfinished_.push_back({partition, dir.at->path(), ""});
  return Lose(partition, dir);
}

// After StartJournals, of which one that is complete has told that what was not
// found is gone.
Status LogManager::UnmarkCopies() {
  for (const MarkedCopy& one : std::exchange(marked_, {})) {
    if (one.dir->at->health().offline()) continue;
    if (one.original->at->health().offline() ||
        !one.original->at->all_forgotten()) {
      marked_.push_back(one);
      continue;
    }
    TM_RETURN_IF_ERROR(
        OrOffline(*one.dir, one.dir->at->RemoveCopyMark(one.partition)));
  }
  return {};
}

// Gone for good before anything is made of the other, or its directory is
// offline.
Status LogManager::Lose(const TopicPartition& partition, Directory& dir) {
  const auto path = dir.at->RenameAway(partition, "-delete");
  const Status synced = path ? dir.at->SyncNames() : Fail(path.error());
  TM_RETURN_IF_ERROR(OrOffline(dir, synced));
  if (synced) removals_.push_back({dir.at.get(), *path, {}});
  --dir.partitions;
  const auto [first, last] = doubles_.equal_range(partition);
  for (auto it = first; it != last; ++it) {
    if (it->second.dir != &dir) continue;
    doubles_.erase(it);
    return {};
  }
  places_.erase(partition);
  if (auto other = doubles_.extract(partition); !other.empty()) {
    places_.emplace(partition, std::move(other.mapped()));
  }
  return {};
}

Status LogManager::CheckUsable(const std::string& directory) const {
  const Directory* const dir = FindDirectory(directory);
  if (dir == nullptr) {
    return Fail(ErrorCode::kLogDirNotFound,
                directory + " is none of the log directories");
  }
  if (dir->at->health().offline()) {
    return Fail(ErrorCode::kKafkaStorageError, directory + " is offline");
  }
  return {};
}

Status LogManager::HasRoom(const std::string& directory) const {
  return FindDirectory(directory)->at->health().HasRoom();
}

void LogManager::MakeIn(const TopicPartition& partition,
                        const std::string& directory) {
  std::lock_guard lock(mutex_);
  if (places_.contains(partition)) return;
  if (made_in_.size() >= kMostMadeIn && !made_in_.contains(partition)) {
    made_in_.erase(made_in_.begin());
  }
  made_in_[partition] = directory;
}

Result<std::string> LogManager::MakeFutureFolder(
    const TopicPartition& partition, const std::string& directory) {
  std::string folder = directory + "/" + NewFutureName(partition);
  TM_RETURN_IF_ERROR(fs_.CreateDirectories(folder));
  return folder;
}

void LogManager::DropFuture(const TopicPartition& partition,
                            const std::string& directory,
                            const std::string& folder) {
  Directory* const dir = FindDirectory(directory);
  if (dir->at->health().offline()) return;
  const auto name = dir->at->DropFuture(partition, folder);
  LOG_IF(WARNING, !name) << "copy not dropped folder=" << folder
                         << " error=" << ToString(name.error());
  std::lock_guard lock(mutex_);
  removals_.push_back({dir->at.get(), name ? *name : folder, {}});
  wake_.notify_one();
}

Result<std::unique_ptr<Log>> LogManager::OpenFuture(
    const TopicPartition& partition, const Uuid& topic_id,
    const std::string& directory, const std::string& folder,
    const LogConfig& config, Offset start, int64_t now_ms) {
  return FindDirectory(directory)->at->OpenFuture(folder, partition, topic_id,
                                                  config, start, now_ms);
}

Status LogManager::SyncFuture(Log& future) {
  while (auto work = future.TakeSync()) {
    if (Status synced = PerformSync(fs_, *work); !synced) {
      future.SyncFailed(*work);
      return synced;
    }
    future.Flushed(*work);
  }
  return {};
}

Status LogManager::EndMoveBefore(const TopicPartition& partition) {
  Directory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end()) return Fail(ErrorCode::kUnknownTopicOrPartition);
    dir = it->second.dir;
  }
  return RemoveCopyMark(partition, *dir);
}

Result<std::unique_ptr<Log>> LogManager::PutCopy(
    const TopicPartition& partition, const Uuid& topic_id,
    const std::string& directory, std::string* folder, const LogConfig& config,
    Offset start, Offset high_watermark, int64_t now_ms) {
  LogDirectory& dir = *FindDirectory(directory)->at;
  TM_RETURN_IF_ERROR(EndMoveBefore(partition));
  auto copy = dir.PutCopy(folder, partition, topic_id, config, start, now_ms);
  if (copy) {
    dir.SetHighWatermarks({{partition, high_watermark}});
    Status written = dir.WriteCheckpoints();
    if (written) written = dir.WriteHighWatermarks();
    if (written) written = CheckUsable(directory);
    if (written) return copy;
    *copy = nullptr;
    copy = Fail(written.error());
  }
  if (folder->empty()) TakeBack(partition, directory);
  return copy;
}

void LogManager::TakeBack(const TopicPartition& partition,
                          const std::string& directory) {
  LogDirectory& dir = *FindDirectory(directory)->at;
  if (dir.health().offline()) return;
  {
    // Whether the original is marked is not known: the next start sees it.
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it != places_.end() && it->second.dir->at->health().offline()) return;
  }
  const auto path = dir.RenameAway(partition, "-delete");
  if (!path) return;  // found at the next start
  std::lock_guard lock(mutex_);
  removals_.push_back({&dir, *path, {}});
  wake_.notify_one();
}

Status LogManager::MarkMoved(const TopicPartition& partition) {
  LogDirectory* original = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end()) return Fail(ErrorCode::kUnknownTopicOrPartition);
    original = it->second.dir->at.get();
  }
  if (original->health().offline()) {
    return Fail(ErrorCode::kKafkaStorageError,
                original->path() + " is offline");
  }
  return original->MarkMoved(partition);
}

void LogManager::NowIn(const TopicPartition& partition,
                       const std::string& directory) {
  std::lock_guard lock(mutex_);
  Place& place = places_.at(partition);
  --place.dir->handed_out;
  --place.dir->partitions;
  place.dir = FindDirectory(directory);
  ++place.dir->handed_out;
  ++place.dir->partitions;
}

void LogManager::RemoveOriginal(std::unique_ptr<Log> original,
                                const std::string& directory) {
  const TopicPartition partition = original->partition();
  const std::string& path = original->dir();
  LogDirectory& dir = *FindDirectory(path.substr(0, path.rfind('/')))->at;
  original = nullptr;
  // Else the next process finds both.
  if (dir.health().offline()) return;
  // It may be the only one that can be read some day.
  if (!CheckUsable(directory)) return;
  const auto renamed = dir.RenameAway(partition, "-delete");
  if (!renamed || !dir.SyncNames()) {
    LOG(WARNING) << "original not removed partition=" << ToString(partition)
                 << " dir=" << dir.path();
    return;
  }
  {
    std::lock_guard lock(mutex_);
    Renamed(dir, partition, *renamed, "-delete");
  }
  const Status removed = RemoveCopyMark(partition, *FindDirectory(directory));
  LOG_IF(WARNING, !removed)
      << "mark not removed partition=" << ToString(partition)
      << " error=" << ToString(removed.error());
}

// Not as long as another directory, or the journal of one, may tell of a log
// there: without a mark nobody would know which of them it is.
Status LogManager::RemoveCopyMark(const TopicPartition& partition,
                                  Directory& dir) {
  if (!dir.at->HasCopyMark(partition)) return {};
  for (const auto& other : dirs_) {
    if (other.get() == &dir || MakeForgotten(partition, *other)) continue;
    return Fail(
        ErrorCode::kOutOfSpace,
        other->at->path() + " may still tell of " + ToString(partition));
  }
  return dir.at->RemoveCopyMark(partition);
}

bool LogManager::MakeForgotten(const TopicPartition& partition,
                               Directory& other) {
  if (other.at->health().offline()) return false;
  for (const MarkedCopy& one : marked_) {
    if (one.partition == partition && one.original == &other) return false;
  }
  // An original that could not be renamed when it had been moved.
  if (other.at->HasLog(partition)) {
    if (!other.at->HasMovedMark(partition)) return false;
    const auto renamed = other.at->RenameAway(partition, "-delete");
    if (!renamed || !other.at->SyncNames()) return false;
    std::lock_guard lock(mutex_);
    Renamed(*other.at, partition, *renamed, "-delete");
  }
  return other.at->AwaitForgotten(partition);
}

}  // namespace tidemark::log
