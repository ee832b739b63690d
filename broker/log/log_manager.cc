#include "broker/log/log_manager.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>

#include "broker/log/parallel.h"

namespace tidemark::log {
namespace {

constexpr char kDeleteSuffix[] = "-delete";
constexpr char kStraySuffix[] = "-stray";
constexpr char kAsideSuffix[] = "-nameless";
constexpr char kKeptSuffix[] = "-kept";
constexpr int kWorkers = 4;
constexpr uint64_t kMostKeptFree = uint64_t{1} << 30;
constexpr std::chrono::milliseconds kHousekeeping(500);
// So that a large topic that goes leaves the disk, and the machine, to others.
constexpr std::chrono::milliseconds kBetweenRemovals(1);
// A topic's logs are renamed one after the other, and go with one sync.
constexpr std::chrono::milliseconds kGatherRemovals(100);

}  // namespace

LogManager::LogManager(io::FileSystem& fs, LogManagerOptions options)
    : fs_(fs),
      options_(std::move(options)),
      workers_(kWorkers),
      delete_delay_ms_(options_.config.file_delete_delay_ms) {}

LogManager::~LogManager() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  workers_.Finish();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
}

std::vector<LoadedPartition> LogManager::LoadedPartitions() const {
  std::lock_guard lock(mutex_);
  std::vector<LoadedPartition> loaded;
  const auto add = [&](const TopicPartition& partition, const Place& place) {
    if (!place.log) return;
    loaded.push_back({partition, place.log->topic_id(), place.dir->at->path()});
  };
  for (const auto& [partition, place] : places_) add(partition, place);
  for (const auto& [partition, place] : doubles_) add(partition, place);
  return loaded;
}

bool LogManager::Has(const TopicPartition& partition,
                     const Uuid& topic_id) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  if (it == places_.end()) return false;
  const Log* log = it->second.log.get();
  return log == nullptr || log->topic_id() == topic_id ||
         log->topic_id().IsZero();
}

bool LogManager::IsNameless(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  if (it == places_.end() || !it->second.log) return false;
  const Log& log = *it->second.log;
  return log.topic_id().IsZero() && log.end_offset() > log.start_offset();
}

bool LogManager::IsShortened(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  return it != places_.end() && it->second.shortened;
}

std::string LogManager::DirectoryOf(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  return it == places_.end() ? "" : it->second.dir->at->path();
}

LogManager::Directory* LogManager::PlaceFor(const TopicPartition& partition) {
  Directory* best = nullptr;
  const auto wanted = made_in_.find(partition);
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
    if (dir->at->Remembers(partition)) return dir.get();
  }
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
    if (wanted != made_in_.end() && wanted->second == dir->at->path()) {
      return dir.get();
    }
    if (best == nullptr || dir->partitions < best->partitions) {
      best = dir.get();
    }
  }
  return best;
}

Status LogManager::MayCreate(const TopicPartition& partition,
                             bool is_new) const {
  if (is_new) return {};
  for (const auto& dir : dirs_) {
    if (dir->at->read()) continue;
    return Fail(ErrorCode::kKafkaStorageError,
                "the log of " + ToString(partition) + " may lie in " +
                    dir->at->path() +
                    ", which is offline: no empty one takes its place");
  }
  return {};
}

std::unique_ptr<Log> LogManager::TakeFound(const TopicPartition& partition,
                                           const Uuid& topic_id,
                                           const LogConfig& config) {
  std::unique_ptr<Log> log;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end()) return nullptr;
    Place& place = it->second;
    if (doubles_.contains(partition) || !place.log ||
        place.log->topic_id() != topic_id || place.shortened ||
        place.dir->at->health().offline()) {
      return nullptr;
    }
    ++place.dir->handed_out;
    log = std::move(place.log);
  }
  log->UpdateConfig(config);
  return log;
}

void LogManager::Prefer(const TopicPartition& partition, const Uuid& topic_id) {
  const auto [first, last] = doubles_.equal_range(partition);
  for (auto it = first; it != last; ++it) {
    if (it->second.topic_id != topic_id) continue;
    std::swap(it->second, places_.at(partition));
    return;
  }
}

Status LogManager::RemoveDoubles(const TopicPartition& partition,
                                 const Uuid& topic_id) {
  while (true) {
    Place stray;
    {
      std::lock_guard lock(mutex_);
      Prefer(partition, topic_id);
      const auto it = doubles_.find(partition);
      if (it == doubles_.end()) return {};
      stray = std::move(it->second);
      doubles_.erase(it);
      --stray.dir->partitions;
    }
    LOG(WARNING) << "stray log removed partition=" << ToString(partition)
                 << " topic_id=" << ToString(stray.topic_id)
                 << " dir=" << stray.dir->at->path();
    const char* const suffix = Leaving(kStraySuffix);
    if (stray.log) CloseIfKept(*stray.log, suffix);
    stray.log = nullptr;
    auto path = stray.dir->at->RenameAway(partition, suffix);
    std::lock_guard lock(mutex_);
    if (stray.error && stray.leaving_as == nullptr) NotMissing(*stray.dir);
    if (!path) {
      stray.error = path.error();
      stray.leaving_as = suffix;
      ++stray.dir->partitions;
      doubles_.emplace(partition, std::move(stray));
      return Fail(path.error());
    }
    Renamed(*stray.dir->at, partition, *path, suffix);
  }
}

Result<std::unique_ptr<Log>> LogManager::GetOrCreate(
    const TopicPartition& partition, const Uuid& topic_id,
    const LogConfig& config, bool is_new, int64_t now_ms) {
  TM_RETURN_IF_ERROR(RemoveDoubles(partition, topic_id));
  TM_RETURN_IF_ERROR(LoadLate(partition, now_ms));
  std::unique_ptr<Log> found;
  Directory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto it = places_.find(partition);
    if (it != places_.end()) {
      Place& place = it->second;
      dir = place.dir;
      if (dir->at->health().offline()) {
        return Fail(ErrorCode::kKafkaStorageError,
                    dir->at->path() + " is offline");
      }
      if (place.error) return Fail(*place.error);
      CHECK(place.log) << ToString(partition) << " is handed out already";
      found = std::move(place.log);
      place.shortened = false;  // whoever takes it knows
      ++dir->handed_out;
    }
  }
  if (found) {
    const Uuid id = found->topic_id();
    if (id == topic_id || id.IsZero()) {
      const Status adopted = found->AdoptTopicId(topic_id);
      if (!adopted) {
        std::lock_guard lock(mutex_);
        places_.at(partition).log = std::move(found);
        --dir->handed_out;
        return Fail(adopted.error());
      }
      found->UpdateConfig(config);
      return found;
    }
    LOG(WARNING) << "stray log removed partition=" << ToString(partition)
                 << " topic_id=" << ToString(id);
    const char* const suffix = Leaving(kStraySuffix);
    CloseIfKept(*found, suffix);
    found = nullptr;
    TM_RETURN_IF_ERROR(RenameAway(*dir->at, partition, suffix));
    std::lock_guard lock(mutex_);
    --dir->handed_out;
  }
  {
    std::lock_guard lock(mutex_);
    TM_RETURN_IF_ERROR(MayCreate(partition, is_new));
    dir = PlaceFor(partition);
    if (dir == nullptr) {
      return Fail(ErrorCode::kKafkaStorageError,
                  "every log directory is offline");
    }
    places_[partition].dir = dir;
    ++dir->partitions;
    ++dir->handed_out;
  }
  // A move of one that was deleted meanwhile may have left it.
  if (dir->at->HasLog(partition)) {
    NotMade(*dir, partition);
    return Fail(ErrorCode::kOutOfSpace,
                "what was left in " + dir->at->path() + " goes first");
  }
  auto log = dir->at->OpenLog(partition, topic_id, config, true, now_ms);
  if (!log) {
    NotMade(*dir, partition);
    return log;
  }
  std::lock_guard lock(mutex_);
  made_in_.erase(partition);
  return log;
}

void LogManager::NotMade(Directory& dir, const TopicPartition& partition) {
  {
    std::lock_guard lock(mutex_);
    --dir.handed_out;
  }
  // The next attempt may be in another directory.
  if (!dir.at->health().offline() &&
      fs_.Exists(dir.at->path() + "/" + ToString(partition))) {
    (void)RenameAway(*dir.at, partition, kDeleteSuffix);
    return;
  }
  std::lock_guard lock(mutex_);
  places_.erase(partition);
  --dir.partitions;
}

std::optional<Offset> LogManager::CheckpointedHighWatermark(
    const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  auto place = places_.find(partition);
  if (place == places_.end()) return std::nullopt;
  return place->second.dir->at->HighWatermark(partition);
}

Status LogManager::RenameAway(LogDirectory& dir,
                              const TopicPartition& partition,
                              const char* suffix) {
  const auto renamed = dir.RenameAway(partition, suffix);
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  const bool was_leaving =
      it != places_.end() && it->second.leaving_as != nullptr;
  if (!renamed && io::IsShortage(renamed.error()) && it != places_.end()) {
    LOG_IF(WARNING, !was_leaving)
        << "log not renamed partition=" << ToString(partition)
        << " error=" << renamed.error().message;
    if (!was_leaving) ++leaving_;
    it->second.leaving_as = suffix;
    it->second.error = renamed.error();
    return Fail(renamed.error());
  }
  if (it != places_.end()) {
    Directory& place = *it->second.dir;
    --place.partitions;
    if (was_leaving) {
      --leaving_;
    } else if (it->second.error) {
      NotMissing(place);
    }
    places_.erase(it);
    if (auto other = doubles_.extract(partition); !other.empty()) {
      places_.emplace(partition, std::move(other.mapped()));
    }
  }
  if (!renamed) return Fail(renamed.error());
  Renamed(dir, partition, *renamed, suffix);
  return {};
}

const char* LogManager::Leaving(const char* suffix) const {
  return keep_ ? kKeptSuffix : suffix;
}

void LogManager::Renamed(LogDirectory& dir, const TopicPartition& partition,
                         const std::string& path, std::string_view suffix) {
  if (suffix == kAsideSuffix) {
    LOG(ERROR)
        << "log set aside partition=" << ToString(partition) << " path=" << path
        << ": its partition.metadata is gone, so that nobody can tell of "
           "which topic it is. Remove it when it is not missed";
  } else if (suffix == kKeptSuffix) {
    LOG(ERROR) << "log kept partition=" << ToString(partition)
               << " path=" << path
               << ": the controllers do not know it, and their metadata have "
                  "been restored. Remove it when it is not missed";
  } else {
    removals_.push_back(
        {&dir, path,
         std::chrono::steady_clock::now() + MillisecondsOf(delete_delay_ms_)});
    wake_.notify_one();
  }
}

void LogManager::RenameLeaving() {
  std::lock_guard lock(mutex_);
  if (closing_ || renaming_ > 0 || leaving_ == 0) return;
  for (const auto& [partition, place] : places_) {
    if (place.leaving_as == nullptr || place.dir->at->health().offline()) {
      continue;
    }
    ++renaming_;
    workers_.Do(partition, [this, name = partition, dir = place.dir->at.get(),
                            suffix = place.leaving_as] {
      (void)RenameAway(*dir, name, suffix);
      std::lock_guard lock(mutex_);
      --renaming_;
    });
  }
}

// The journal, which may hold what its segments have not got on the disk,
// forgets it.
void LogManager::CloseIfKept(Log& log, std::string_view suffix) {
  if (suffix != kKeptSuffix) return;
  const Status closed = log.Close();
  LOG_IF(ERROR, !closed) << "log not closed partition="
                         << ToString(log.partition())
                         << " error=" << closed.error().message;
}

Status LogManager::DeleteLog(std::unique_ptr<Log> log) {
  const TopicPartition partition = log->partition();
  const char* const suffix = Leaving(kDeleteSuffix);
  CloseIfKept(*log, suffix);
  log = nullptr;
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto it = places_.find(partition);
    CHECK(it != places_.end()) << ToString(partition);
    Directory& place = *it->second.dir;
    dir = place.at.get();
    --place.handed_out;
    if (dir->health().offline()) {
      // Found as a stray when the directory works again.
      places_.erase(it);
      --place.partitions;
      return {};
    }
  }
  return RenameAway(*dir, partition, suffix);
}

Status LogManager::RemoveStray(const TopicPartition& partition,
                               const Uuid& topic_id) {
  std::unique_ptr<Log> log;
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    Prefer(partition, topic_id);
    auto it = places_.find(partition);
    if (it == places_.end() || !it->second.log ||
        it->second.log->topic_id() != topic_id) {
      return Fail(ErrorCode::kUnknownTopicOrPartition);
    }
    log = std::move(it->second.log);
    dir = it->second.dir->at.get();
  }
  const char* const suffix = Leaving(kStraySuffix);
  LOG(WARNING) << "stray log removed partition=" << ToString(partition)
               << " topic_id=" << ToString(topic_id);
  CloseIfKept(*log, suffix);
  log = nullptr;
  return RenameAway(*dir, partition, suffix);
}

Status LogManager::SetAside(const TopicPartition& partition) {
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end() || !it->second.log) {
      return Fail(ErrorCode::kUnknownTopicOrPartition);
    }
    it->second.log = nullptr;
    dir = it->second.dir->at.get();
  }
  return RenameAway(*dir, partition, kAsideSuffix);
}

void LogManager::Checkpoint() {
  for (const auto& dir : dirs_) dir->at->Checkpoint();
}

Status LogManager::KeepStart(const TopicPartition& partition) {
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    if (place != places_.end()) dir = place->second.dir->at.get();
  }
  // Deleted meanwhile.
  if (dir == nullptr) return Fail(ErrorCode::kNotLeaderOrFollower);
  if (dir->health().offline()) return Fail(ErrorCode::kKafkaStorageError);
  return dir->WriteCheckpoints();
}

void LogManager::SetHighWatermarks(const OffsetMap& high_watermarks) {
  std::map<LogDirectory*, OffsetMap> by_dir;
  std::lock_guard lock(mutex_);
  for (const auto& [partition, offset] : high_watermarks) {
    const auto place = places_.find(partition);
    if (place == places_.end()) continue;
    by_dir[place->second.dir->at.get()].emplace(partition, offset);
  }
  for (const auto& [dir, offsets] : by_dir) dir->SetHighWatermarks(offsets);
  high_watermarks_set_ = true;
  wake_.notify_one();
}

Status LogManager::ShutdownCleanly(std::vector<std::unique_ptr<Log>> logs,
                                   int64_t broker_epoch) {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  workers_.Finish();
  std::map<Directory*, size_t> returned;
  std::set<Directory*> dirty;
  std::vector<Directory*> of_log;
  {
    std::lock_guard lock(mutex_);
    for (const auto& log : logs) {
      of_log.push_back(places_.at(log->partition()).dir);
      ++returned[of_log.back()];
    }
    ForEachPlace([&](const TopicPartition&, Place& place) {
      if (place.error) dirty.insert(place.dir);
      if (!place.log) return;
      logs.push_back(std::move(place.log));
      of_log.push_back(place.dir);
    });
  }
  for (const auto& dir : dirs_) dir->at->StopJournal();
  std::vector<Status> closed(logs.size());
  ParallelFor(logs.size(), Threads(0) * 2,
              [&](size_t i) { closed[i] = logs[i]->Close(); });
  for (size_t i = 0; i < logs.size(); ++i) {
    if (!closed[i]) dirty.insert(of_log[i]);
  }
  logs.clear();
  Status result;
  for (const auto& dir : dirs_) {
    Status written = dir->at->WriteCheckpoints();
    if (written) written = dir->at->WriteHighWatermarks();
    if (dir->at->health().offline() || dirty.contains(dir.get()) || !written ||
        returned[dir.get()] != dir->handed_out) {
      LOG(WARNING) << "no clean shutdown dir=" << dir->at->path();
    } else {
      written = dir->at->MarkClean(broker_epoch);
    }
    if (!written) result = written;
  }
  return result;
}

std::vector<std::string> LogManager::OfflineDirectories() const {
  std::vector<std::string> offline;
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) offline.push_back(dir->at->path());
  }
  return offline;
}

void LogManager::CheckDirectories() {
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
    // What is open would be written to, unseen, for a while.
    if (options_.check) {
      if (Status checked = options_.check(dir->at->path()); !checked) {
        dir->at->health().TakeOffline(checked.error());
        continue;
      }
    }
    const auto space = fs_.Space(dir->at->path());
    if (!space) continue;  // whoever writes there finds out
    const uint64_t least = options_.min_free_bytes >= 0
                               ? static_cast<uint64_t>(options_.min_free_bytes)
                               : std::min(space->total / 100, kMostKeptFree);
    dir->at->health().NoteSpace(space->free, least);
  }
}

void LogManager::KeepHouse() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kHousekeeping, [&] {
      return stopping_ || !removals_.empty() || high_watermarks_set_;
    });
    if (!removals_.empty())
      wake_.wait_for(lock, kGatherRemovals, [this] { return stopping_; });
    const bool last = stopping_;
    auto removals = std::exchange(removals_, {});
    const bool high_watermarks = std::exchange(high_watermarks_set_, false);
    lock.unlock();
    CheckDirectories();
    if (!removals.empty()) MakeFinal(removals);
    std::vector<Removal> again = Remove(TakeDue(std::move(removals)));
    for (const auto& dir : dirs_) {
      if (high_watermarks) (void)dir->at->WriteHighWatermarks();
    }
    LoadMissing();
    RenameLeaving();
    auto found = again.empty() ? FindTrash() : std::vector<Removal>();
    lock.lock();
    // What nothing can be done about now is found by the next process.
    if (last && removals_.empty()) return;
    if (!again.empty() && !last)
      wake_.wait_for(lock, kHousekeeping, [this] { return stopping_; });
    RemoveAgain(std::move(again));
    RemoveAgain(std::move(found));
  }
}

void LogManager::RemoveAgain(std::vector<Removal> removals) {
  for (Removal& removal : removals) {
    if (removals_.size() < options_.most_removals) {
      removals_.push_back(std::move(removal));
      continue;
    }
    for (const auto& dir : dirs_) {
      dir->more_trash |= dir->at.get() == removal.dir;
    }
  }
}

std::vector<LogManager::Removal> LogManager::FindTrash() {
  std::vector<Removal> found;
  for (const auto& dir : dirs_) {
    if (!dir->more_trash || dir->at->health().offline()) continue;
    const auto names = dir->at->ListTrash();
    if (!names) continue;
    dir->more_trash = false;
    for (const std::string& name : *names) {
      found.push_back({dir->at.get(), dir->at->path() + "/" + name, {}});
    }
  }
  return found;
}

// One sync and one set of checkpoint files for all of them.
void LogManager::MakeFinal(const std::vector<Removal>& removals) {
  for (const auto& dir : dirs_) {
    const bool concerned = std::any_of(
        removals.begin(), removals.end(),
        [&](const auto& removal) { return removal.dir == dir->at.get(); });
    if (!concerned || dir->at->health().offline()) continue;
    (void)dir->at->SyncNames();
    (void)dir->at->WriteCheckpoints();
    (void)dir->at->WriteHighWatermarks();
  }
}

std::vector<LogManager::Removal> LogManager::TakeDue(
    std::vector<Removal> removals) {
  const Instant now = std::chrono::steady_clock::now();
  std::vector<Removal> due;
  for (Removal& removal : removals) {
    if (removal.due <= now) {
      due.push_back(std::move(removal));
    } else {
      removal.dir->RemoveAt(std::move(removal.path), removal.due);
    }
  }
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
    for (std::string& path : dir->at->TakeRemovable(now)) {
      due.push_back({dir->at.get(), std::move(path), now});
    }
  }
  return due;
}

std::vector<LogManager::Removal> LogManager::Remove(
    std::vector<Removal> removals) {
  std::vector<Removal> again;
  for (Removal& removal : removals) {
    if (Status removed = fs_.RemoveAll(removal.path); !removed) {
      LOG_EVERY_T(WARNING, 1) << "not removed path=" << removal.path
                              << " error=" << removed.error().message;
      if (io::IsShortage(removed.error())) again.push_back(std::move(removal));
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kBetweenRemovals, [this] { return stopping_; });
  }
  return again;
}

}  // namespace tidemark::log
