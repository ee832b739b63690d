#include "broker/log/log_manager.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>

#include "broker/log/clean_shutdown.h"

namespace tidemark::log {
namespace {

constexpr char kDeleteSuffix[] = "-delete";
constexpr char kStraySuffix[] = "-stray";
constexpr uint64_t kMostKeptFree = uint64_t{1} << 30;
constexpr std::chrono::milliseconds kSpaceCheck(500);

// Runs `each(i)` for every i below `count` on up to `threads` threads.
void ParallelFor(size_t count, int threads,
                 const std::function<void(size_t)>& each) {
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++) each(i);
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads && static_cast<size_t>(i) < count; ++i) {
    helpers.emplace_back(work);
  }
  work();
  for (auto& helper : helpers) helper.join();
}

Offset Known(const OffsetMap& offsets, const TopicPartition& partition) {
  auto it = offsets.find(partition);
  return it == offsets.end() ? 0 : it->second;
}

}  // namespace

std::optional<TopicPartition> ParsePartitionDirectory(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  auto partition = ParseNumber(name.substr(dash + 1));
  if (!partition || *partition < 0 || *partition > INT32_MAX) {
    return std::nullopt;
  }
  return TopicPartition{std::string(name.substr(0, dash)),
                        static_cast<PartitionIndex>(*partition)};
}

LogManager::LogManager(io::FileSystem& fs, LogManagerOptions options)
    : fs_(fs), options_(std::move(options)) {}

LogManager::~LogManager() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (remover_.joinable()) remover_.join();
}

Result<std::unique_ptr<LogManager>> LogManager::Open(io::FileSystem& fs,
                                                     LogManagerOptions options,
                                                     int64_t now_ms) {
  std::unique_ptr<LogManager> manager(new LogManager(fs, std::move(options)));
  for (const std::string& path : manager->options_.dirs) {
    manager->dirs_.push_back(std::make_unique<Directory>());
    Directory& dir = *manager->dirs_.back();
    dir.path = path;
    manager->Watch(dir);
  }
  TM_RETURN_IF_ERROR(manager->OpenDirectories());
  manager->CheckSpace();
  manager->remover_ = std::thread([m = manager.get()] {
    pthread_setname_np(pthread_self(), "log-remove");
    m->RunRemovals();
  });
  if (manager->OfflineDirectories().size() == manager->dirs_.size()) {
    return Fail(ErrorCode::kKafkaStorageError,
                "no log directory is usable; check log.dirs and the messages"
                " above");
  }
  manager->ReadPreviousBrokerEpoch();
  manager->LoadAll(now_ms);
  return manager;
}

void LogManager::Watch(Directory& dir) {
  dir.health = std::make_shared<DirectoryHealth>(
      dir.path, [this, path = dir.path](const Error& why) {
        if (options_.on_offline) options_.on_offline(path, why);
      });
  dir.syncer = std::make_unique<ThreadedLogSyncer>(fs_, dir.health,
                                                   options_.sync_threads);
  const auto broken = options_.broken.find(dir.path);
  if (broken != options_.broken.end()) dir.health->TakeOffline(broken->second);
}

Status LogManager::OpenDirectories() {
  // All are read before the first is marked: where something runs out, the
  // next attempt finds them as this one did.
  auto each = [this](const std::function<Status(Directory&)>& open) -> Status {
    for (const auto& dir : dirs_) {
      if (dir->health->offline()) continue;
      const Status opened = open(*dir);
      if (opened) continue;
      if (io::IsShortage(opened.error())) return opened;
      dir->health->TakeOffline(opened.error());
    }
    return {};
  };
  TM_RETURN_IF_ERROR(
      each([this](Directory& dir) { return ReadDirectory(dir); }));
  return each([this](Directory& dir) {
    return RemoveCleanShutdownMarker(fs_, dir.path);
  });
}

Status LogManager::ReadDirectory(Directory& dir) {
  if (!fs_.Exists(dir.path)) {
    TM_RETURN_IF_ERROR(fs_.CreateDirectories(dir.path));
    const size_t slash = dir.path.rfind('/');
    const Status synced = fs_.SyncDirectory(
        slash == std::string::npos ? "." : dir.path.substr(0, slash + 1));
    // The next attempt has to make it again, and sync that.
    if (!synced) (void)fs_.RemoveAll(dir.path);
    TM_RETURN_IF_ERROR(synced);
  }
  TM_ASSIGN_OR_RETURN(auto names, fs_.List(dir.path));
  TM_ASSIGN_OR_RETURN(auto marker, ReadCleanShutdownMarker(fs_, dir.path));
  dir.clean = marker.has_value();
  dir.broker_epoch = marker.value_or(-1);
  const std::string prefix = dir.path + "/";
  TM_ASSIGN_OR_RETURN(dir.recovery_points,
                      ReadOffsets(fs_, prefix + kRecoveryPointFile));
  TM_ASSIGN_OR_RETURN(dir.high_watermarks,
                      ReadOffsets(fs_, prefix + kHighWatermarkFile));
  TM_ASSIGN_OR_RETURN(dir.starts, ReadOffsets(fs_, prefix + kLogStartFile));
  for (const std::string& name : names) {
    if (name.ends_with(kDeleteSuffix) || name.ends_with(kStraySuffix)) {
      RemoveLater(prefix + name);
      continue;
    }
    auto partition = ParsePartitionDirectory(name);
    if (!partition) continue;
    Place& place = places_[*partition];
    if (place.dir != nullptr) {
      return Fail(ErrorCode::kKafkaStorageError,
                  name + " is in " + place.dir->path + " and in " + dir.path +
                      "; move one of them away");
    }
    place.dir = &dir;
    ++dir.partitions;
  }
  // A deletion may have been cut short between the directory and the files.
  for (OffsetMap* offsets :
       {&dir.recovery_points, &dir.high_watermarks, &dir.starts}) {
    std::erase_if(*offsets, [&](const auto& entry) {
      auto it = places_.find(entry.first);
      return it == places_.end() || it->second.dir != &dir;
    });
  }
  // Not before: with a name that was not looked at, none is known to be absent.
  dir.listed = true;
  return {};
}

void LogManager::ReadPreviousBrokerEpoch() {
  previous_broker_epoch_ = dirs_.front()->broker_epoch;
  for (const auto& dir : dirs_) {
    if (!dir->clean || dir->broker_epoch != previous_broker_epoch_) {
      previous_broker_epoch_ = -1;
    }
  }
}

OpenOptions LogManager::OptionsFor(Directory& dir,
                                   const TopicPartition& partition) {
  OpenOptions open;
  open.dir = dir.path + "/" + ToString(partition);
  open.partition = partition;
  open.config = options_.config;
  open.clean = dir.clean;
  open.recovery_point = Known(dir.recovery_points, partition);
  open.start_offset = Known(dir.starts, partition);
  open.health = dir.health;
  open.lower_recovery_point = [this, &dir, partition](Offset offset) -> Status {
    std::lock_guard lock(mutex_);
    auto it = dir.recovery_points.find(partition);
    if (it == dir.recovery_points.end() || it->second <= offset) return {};
    it->second = offset;
    return WriteFiles(dir, true, false, false);
  };
  return open;
}

Offset LogManager::PromisedEnd(const Directory& dir,
                               const TopicPartition& partition) {
  return std::max(Known(dir.recovery_points, partition),
                  Known(dir.high_watermarks, partition));
}

void LogManager::Place::Loaded(Result<std::unique_ptr<Log>> opened,
                               const TopicPartition& partition,
                               Offset promised) {
  if (!opened) {
    LOG(ERROR) << "log not loaded partition=" << ToString(partition)
               << " dir=" << dir->path << " error=" << opened.error().message;
    error = std::move(opened).error();
    return;
  }
  error.reset();
  log = std::move(*opened);
  shortened = log->end_offset() < promised;
  LOG_IF(ERROR, shortened) << "log is shorter than it was partition="
                           << ToString(partition) << " dir=" << dir->path
                           << " end=" << log->end_offset()
                           << " promised=" << promised;
}

void LogManager::LoadAll(int64_t now_ms) {
  std::vector<std::pair<const TopicPartition*, Place*>> all;
  for (auto& [partition, place] : places_) {
    if (!place.dir->health->offline()) all.push_back({&partition, &place});
  }
  const int threads =
      options_.load_threads > 0
          ? options_.load_threads
          : static_cast<int>(std::thread::hardware_concurrency());
  ParallelFor(all.size(), std::max(threads, 1), [&](size_t i) {
    auto [partition, place] = all[i];
    OpenOptions open;
    Offset promised = 0;
    {
      std::lock_guard lock(mutex_);
      open = OptionsFor(*place->dir, *partition);
      promised = PromisedEnd(*place->dir, *partition);
    }
    place->Loaded(OpenLog(fs_, std::move(open), now_ms), *partition, promised);
  });
  LOG(INFO) << "logs loaded count=" << all.size()
            << " previous_broker_epoch=" << previous_broker_epoch_;
}

std::vector<LoadedPartition> LogManager::LoadedPartitions() const {
  std::lock_guard lock(mutex_);
  std::vector<LoadedPartition> loaded;
  for (const auto& [partition, place] : places_) {
    if (!place.log) continue;
    loaded.push_back({partition, place.log->topic_id(), place.dir->path});
  }
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

bool LogManager::IsShortened(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  return it != places_.end() && it->second.shortened;
}

std::string LogManager::DirectoryOf(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(partition);
  return it == places_.end() ? "" : it->second.dir->path;
}

LogManager::Directory* LogManager::LeastLoaded() {
  Directory* best = nullptr;
  for (const auto& dir : dirs_) {
    if (dir->health->offline()) continue;
    if (best == nullptr || dir->partitions < best->partitions) {
      best = dir.get();
    }
  }
  return best;
}

Status LogManager::LoadLate(const TopicPartition& partition, int64_t now_ms) {
  OpenOptions open;
  Offset promised = 0;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end() || !it->second.error ||
        !io::IsShortage(*it->second.error)) {
      return {};
    }
    open = OptionsFor(*it->second.dir, partition);
    promised = PromisedEnd(*it->second.dir, partition);
  }
  auto log = OpenLog(fs_, std::move(open), now_ms);
  std::lock_guard lock(mutex_);
  Place& place = places_.at(partition);
  place.Loaded(std::move(log), partition, promised);
  return place.error ? Status(Fail(*place.error)) : Status();
}

Status LogManager::MayCreate(const TopicPartition& partition,
                             bool is_new) const {
  if (is_new) return {};
  for (const auto& dir : dirs_) {
    if (dir->listed) continue;
    return Fail(ErrorCode::kKafkaStorageError,
                "the log of " + ToString(partition) + " may lie in " +
                    dir->path +
                    ", which is offline: no empty one takes its "
                    "place");
  }
  return {};
}

Result<std::unique_ptr<Log>> LogManager::GetOrCreate(
    const TopicPartition& partition, const Uuid& topic_id,
    const LogConfig& config, bool is_new, int64_t now_ms) {
  TM_RETURN_IF_ERROR(LoadLate(partition, now_ms));
  OpenOptions open;
  Directory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto it = places_.find(partition);
    if (it != places_.end()) {
      Place& place = it->second;
      if (place.dir->health->offline()) {
        return Fail(ErrorCode::kKafkaStorageError,
                    place.dir->path + " is offline");
      }
      if (place.error) return Fail(*place.error);
      CHECK(place.log) << ToString(partition) << " is handed out already";
      const Uuid& found = place.log->topic_id();
      if (found == topic_id || found.IsZero()) {
        TM_RETURN_IF_ERROR(place.log->AdoptTopicId(topic_id));
        place.log->UpdateConfig(config);
        ++place.dir->handed_out;
        place.shortened = false;  // whoever takes it knows
        return std::move(place.log);
      }
      LOG(WARNING) << "stray log removed partition=" << ToString(partition)
                   << " topic_id=" << ToString(found);
      place.log = nullptr;
      TM_RETURN_IF_ERROR(RenameAway(*place.dir, partition, kStraySuffix));
    }
    TM_RETURN_IF_ERROR(MayCreate(partition, is_new));
    dir = LeastLoaded();
    if (dir == nullptr) {
      return Fail(ErrorCode::kKafkaStorageError,
                  "every log directory is offline");
    }
    open = OptionsFor(*dir, partition);
    open.topic_id = topic_id;
    open.config = config;
    open.clean = true;  // nothing there to scan
    places_[partition].dir = dir;
    ++dir->partitions;
    ++dir->handed_out;
  }
  auto log = OpenLog(fs_, std::move(open), now_ms);
  if (!log) {
    std::lock_guard lock(mutex_);
    places_.erase(partition);
    --dir->partitions;
    --dir->handed_out;
  }
  return log;
}

std::optional<Offset> LogManager::CheckpointedHighWatermark(
    const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  auto place = places_.find(partition);
  if (place == places_.end()) return std::nullopt;
  const OffsetMap& known = place->second.dir->high_watermarks;
  auto it = known.find(partition);
  if (it == known.end()) return std::nullopt;
  return it->second;
}

Status LogManager::Forget(Directory& dir, const TopicPartition& partition) {
  places_.erase(partition);
  --dir.partitions;
  const bool recovery = dir.recovery_points.erase(partition) > 0;
  const bool high_watermark = dir.high_watermarks.erase(partition) > 0;
  const bool start = dir.starts.erase(partition) > 0;
  // A log that is created under this name must not inherit them.
  return WriteFiles(dir, recovery, high_watermark, start);
}

Status LogManager::RenameAway(Directory& dir, const TopicPartition& partition,
                              const char* suffix) {
  const std::string from = dir.path + "/" + ToString(partition);
  std::string id;
  for (uint8_t byte : Uuid::Random().bytes) {
    constexpr char kHex[] = "0123456789abcdef";
    id += {kHex[byte >> 4], kHex[byte & 15]};
  }
  // Names of files end at 255 bytes; topic names may take most of that.
  const std::string tail = "." + id + suffix;
  const std::string to =
      dir.path + "/" + ToString(partition).substr(0, 255 - tail.size()) + tail;
  Status renamed = fs_.Rename(from, to);
  if (renamed) renamed = fs_.SyncDirectory(dir.path);
  if (renamed) renamed = Forget(dir, partition);
  if (!renamed && !io::IsShortage(renamed.error())) {
    dir.health->TakeOffline(renamed.error());
    return renamed;
  }
  RemoveLater(to);
  return {};
}

Status LogManager::DeleteLog(std::unique_ptr<Log> log) {
  const TopicPartition partition = log->partition();
  log = nullptr;
  std::lock_guard lock(mutex_);
  auto it = places_.find(partition);
  CHECK(it != places_.end()) << ToString(partition);
  Directory& dir = *it->second.dir;
  --dir.handed_out;
  if (dir.health->offline()) {
    // Found as a stray when the directory works again.
    places_.erase(it);
    --dir.partitions;
    return {};
  }
  return RenameAway(dir, partition, kDeleteSuffix);
}

Status LogManager::RemoveStray(const TopicPartition& partition,
                               const Uuid& topic_id) {
  std::lock_guard lock(mutex_);
  auto it = places_.find(partition);
  if (it == places_.end() || !it->second.log ||
      it->second.log->topic_id() != topic_id) {
    return Fail(ErrorCode::kUnknownTopicOrPartition);
  }
  LOG(WARNING) << "stray log removed partition=" << ToString(partition)
               << " topic_id=" << ToString(topic_id);
  it->second.log = nullptr;
  return RenameAway(*it->second.dir, partition, kStraySuffix);
}

Status LogManager::WriteFiles(Directory& dir, bool recovery,
                              bool high_watermark, bool start) {
  if (dir.health->offline()) return {};
  const std::string prefix = dir.path + "/";
  Status written;
  if (recovery) {
    written =
        WriteOffsets(fs_, prefix + kRecoveryPointFile, dir.recovery_points);
  }
  if (written && high_watermark) {
    written =
        WriteOffsets(fs_, prefix + kHighWatermarkFile, dir.high_watermarks);
  }
  if (written && start) {
    written = WriteOffsets(fs_, prefix + kLogStartFile, dir.starts);
  }
  if (!written && !io::IsShortage(written.error())) {
    dir.health->TakeOffline(written.error());
  }
  return written;
}

Status LogManager::WriteCheckpoints(
    const std::vector<LogCheckpoint>& checkpoints) {
  struct Changed {
    bool recovery = false, high_watermark = false, start = false;
  };
  auto set = [](OffsetMap& map, const TopicPartition& partition,
                const std::optional<Offset>& value, bool& changed) {
    if (!value) return;
    auto [it, inserted] = map.try_emplace(partition, *value);
    if (!inserted && it->second == *value) return;
    it->second = *value;
    changed = true;
  };
  std::lock_guard lock(mutex_);
  std::map<Directory*, Changed> changed;
  for (const LogCheckpoint& checkpoint : checkpoints) {
    auto place = places_.find(checkpoint.partition);
    if (place == places_.end()) continue;
    Directory& dir = *place->second.dir;
    Changed& what = changed[&dir];
    set(dir.recovery_points, checkpoint.partition, checkpoint.recovery_point,
        what.recovery);
    set(dir.high_watermarks, checkpoint.partition, checkpoint.high_watermark,
        what.high_watermark);
    set(dir.starts, checkpoint.partition, checkpoint.start_offset, what.start);
  }
  Status result;
  for (const auto& dir : dirs_) {
    const Changed what = changed[dir.get()];
    Status written =
        WriteFiles(*dir, what.recovery, what.high_watermark, what.start);
    if (!written) result = written;
  }
  return result;
}

Status LogManager::WriteHighWatermarks(const OffsetMap& high_watermarks) {
  std::vector<LogCheckpoint> checkpoints;
  for (const auto& [partition, offset] : high_watermarks) {
    checkpoints.push_back({partition, {}, {}, offset});
  }
  return WriteCheckpoints(checkpoints);
}

Status LogManager::ShutdownCleanly(std::vector<std::unique_ptr<Log>> logs,
                                   int64_t broker_epoch) {
  std::map<Directory*, size_t> returned;
  std::map<Directory*, bool> dirty;
  {
    std::lock_guard lock(mutex_);
    for (const auto& log : logs) ++returned[places_.at(log->partition()).dir];
    for (auto& [partition, place] : places_) {
      if (place.error) dirty[place.dir] = true;
      if (place.log) logs.push_back(std::move(place.log));
    }
  }
  std::vector<Status> closed(logs.size());
  ParallelFor(logs.size(), options_.sync_threads,
              [&](size_t i) { closed[i] = logs[i]->Close(); });
  std::vector<LogCheckpoint> checkpoints;
  for (size_t i = 0; i < logs.size(); ++i) {
    if (closed[i]) {
      checkpoints.push_back({logs[i]->partition(),
                             logs[i]->end_offset(),
                             logs[i]->start_offset(),
                             {}});
      continue;
    }
    std::lock_guard lock(mutex_);
    dirty[places_.at(logs[i]->partition()).dir] = true;
  }
  Status result = WriteCheckpoints(checkpoints);
  logs.clear();
  std::lock_guard lock(mutex_);
  for (const auto& dir : dirs_) {
    if (dir->health->offline() || dirty[dir.get()] ||
        returned[dir.get()] != dir->handed_out) {
      LOG(WARNING) << "no clean shutdown dir=" << dir->path;
      continue;
    }
    Status written = WriteCleanShutdownMarker(fs_, dir->path, broker_epoch);
    if (!written) result = written;
  }
  return result;
}

LogSyncer& LogManager::syncer(const TopicPartition& partition) {
  std::lock_guard lock(mutex_);
  return *places_.at(partition).dir->syncer;
}

std::vector<std::string> LogManager::OfflineDirectories() const {
  std::vector<std::string> offline;
  for (const auto& dir : dirs_) {
    if (dir->health->offline()) offline.push_back(dir->path);
  }
  return offline;
}

void LogManager::RemoveLater(std::string path) {
  removals_.push_back(std::move(path));
  wake_.notify_one();
}

void LogManager::CheckSpace() {
  for (const auto& dir : dirs_) {
    if (dir->health->offline()) continue;
    const auto space = fs_.Space(dir->path);
    if (!space) continue;  // whoever writes there finds out
    const uint64_t least = options_.min_free_bytes >= 0
                               ? static_cast<uint64_t>(options_.min_free_bytes)
                               : std::min(space->total / 100, kMostKeptFree);
    dir->health->NoteSpace(space->free, least);
  }
}

void LogManager::RunRemovals() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kSpaceCheck,
                   [&] { return stopping_ || !removals_.empty(); });
    if (removals_.empty()) {
      if (stopping_) return;
      lock.unlock();
      CheckSpace();
      lock.lock();
      continue;
    }
    const std::string path = std::move(removals_.front());
    removals_.pop_front();
    lock.unlock();
    if (Status removed = fs_.RemoveAll(path); !removed) {
      LOG(WARNING) << "not removed path=" << path
                   << " error=" << removed.error().message;
    }
    lock.lock();
  }
}

}  // namespace tidemark::log
