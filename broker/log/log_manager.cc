#include "broker/log/log_manager.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <set>

namespace tidemark::log {
namespace {

constexpr char kDeleteSuffix[] = "-delete";
constexpr char kStraySuffix[] = "-stray";
constexpr int kRecoveryThreads = 16;
constexpr int kWorkers = 4;
constexpr uint64_t kMostKeptFree = uint64_t{1} << 30;
constexpr std::chrono::milliseconds kHousekeeping(500);
// So that a large topic that goes leaves the disk, and the machine, to others.
constexpr std::chrono::milliseconds kBetweenRemovals(1);

int Threads(int wanted) {
  const int machine = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(wanted > 0 ? wanted : machine, 1);
}

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

}  // namespace

LogManager::LogManager(io::FileSystem& fs, LogManagerOptions options)
    : fs_(fs), options_(std::move(options)), workers_(kWorkers) {}

LogManager::~LogManager() {
  workers_.Finish();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  workers_.Finish();  // what it has asked for
}

Result<std::unique_ptr<LogManager>> LogManager::Open(io::FileSystem& fs,
                                                     LogManagerOptions options,
                                                     int64_t now_ms) {
  std::unique_ptr<LogManager> manager(new LogManager(fs, std::move(options)));
  for (const std::string& path : manager->options_.dirs) {
    manager->AddDirectory(path);
  }
  TM_RETURN_IF_ERROR(manager->OpenDirectories());
  if (manager->OfflineDirectories().size() == manager->dirs_.size()) {
    return Fail(ErrorCode::kKafkaStorageError,
                "no log directory is usable; check log.dirs and the messages"
                " above");
  }
  manager->ReadPreviousBrokerEpoch();
  manager->started_ms_ = now_ms;
  manager->LoadAll(now_ms);
  TM_RETURN_IF_ERROR(manager->StartJournals());
  manager->CheckSpace();
  manager->housekeeper_ = std::thread([m = manager.get()] {
    pthread_setname_np(pthread_self(), "log-keeper");
    m->KeepHouse();
  });
  return manager;
}

void LogManager::AddDirectory(const std::string& path) {
  dirs_.push_back(std::make_unique<Directory>());
  auto health =
      std::make_shared<DirectoryHealth>(path, [this, path](const Error& why) {
        if (options_.on_offline) options_.on_offline(path, why);
      });
  const auto broken = options_.broken.find(path);
  if (broken != options_.broken.end()) health->TakeOffline(broken->second);
  LogDirectory::Options options = options_.directory;
  options.workers = &workers_;
  dirs_.back()->at = std::make_unique<LogDirectory>(
      fs_, path, std::move(health), std::move(options));
}

Status LogManager::OpenDirectories() {
  // All are read before the first is marked: where something runs out, the
  // next attempt finds them as this one did.
  auto each = [this](const std::function<Status(Directory&)>& open) -> Status {
    for (const auto& dir : dirs_) {
      if (dir->at->health().offline()) continue;
      const Status opened = open(*dir);
      if (opened) continue;
      if (io::IsShortage(opened.error())) return opened;
      dir->at->health().TakeOffline(opened.error());
    }
    return {};
  };
  TM_RETURN_IF_ERROR(
      each([this](Directory& dir) { return ReadDirectory(dir); }));
  return each([](Directory& dir) { return dir.at->Begin(); });
}

Status LogManager::ReadDirectory(Directory& dir) {
  TM_RETURN_IF_ERROR(dir.at->Read());
  for (const std::string& name : dir.at->trash()) {
    removals_.push_back({dir.at.get(), dir.at->path() + "/" + name});
  }
  for (const TopicPartition& partition : dir.at->found()) {
    Place& place = places_[partition];
    if (place.dir != nullptr) {
      TM_RETURN_IF_ERROR(AddDouble(partition, dir));
    } else {
      place.dir = &dir;
    }
    ++dir.partitions;
  }
  return {};
}

Status LogManager::AddDouble(const TopicPartition& partition, Directory& dir) {
  Place found;
  found.dir = &dir;
  // A disk that broke may have kept of a new log no more than its name.
  const auto identify = [&](Place& place) -> Result<bool> {
    if (!place.topic_id.IsZero()) return true;
    TM_ASSIGN_OR_RETURN(const auto id, place.dir->at->TopicIdOf(partition));
    place.topic_id = id.value_or(Uuid());
    return id ? true : place.dir->at->IsEmpty(partition);
  };
  const auto check = [&](Place& other) -> Status {
    TM_ASSIGN_OR_RETURN(const bool other_known, identify(other));
    TM_ASSIGN_OR_RETURN(const bool known, identify(found));
    if (known && other_known && other.topic_id != found.topic_id) return {};
    return Fail(ErrorCode::kKafkaStorageError,
                ToString(partition) + " is in " + other.dir->at->path() +
                    " and in " + dir.at->path() + "; move one of them away");
  };
  TM_RETURN_IF_ERROR(check(places_.at(partition)));
  const auto [first, last] = doubles_.equal_range(partition);
  for (auto it = first; it != last; ++it) TM_RETURN_IF_ERROR(check(it->second));
  doubles_.emplace(partition, std::move(found));
  return {};
}

template <class F>
void LogManager::ForEachPlace(const F& each) {
  for (auto& [partition, place] : places_) each(partition, place);
  for (auto& [partition, place] : doubles_) each(partition, place);
}

void LogManager::ReadPreviousBrokerEpoch() {
  previous_broker_epoch_ = dirs_.front()->at->broker_epoch();
  for (const auto& dir : dirs_) {
    if (!dir->at->clean() ||
        dir->at->broker_epoch() != previous_broker_epoch_) {
      previous_broker_epoch_ = -1;
    }
  }
}

void LogManager::Place::Loaded(Result<std::unique_ptr<Log>> opened,
                               const TopicPartition& partition) {
  if (!opened) {
    LOG(ERROR) << "log not loaded partition=" << ToString(partition)
               << " dir=" << dir->at->path()
               << " error=" << opened.error().message;
    error = std::move(opened).error();
    return;
  }
  error.reset();
  log = std::move(*opened);
  const Offset promised = dir->at->Promised(*log);
  shortened = log->end_offset() < promised;
  LOG_IF(ERROR, shortened) << "log is shorter than it was partition="
                           << ToString(partition) << " dir=" << dir->at->path()
                           << " end=" << log->end_offset()
                           << " promised=" << promised;
}

void LogManager::LoadAll(int64_t now_ms) {
  std::vector<std::pair<const TopicPartition*, Place*>> all;
  ForEachPlace([&](const TopicPartition& partition, Place& place) {
    if (!place.dir->at->health().offline()) {
      all.push_back({&partition, &place});
    }
  });
  // After an unclean stop they mostly wait for the disk, which syncs many at
  // once.
  const bool clean =
      std::all_of(dirs_.begin(), dirs_.end(),
                  [](const auto& dir) { return dir->at->clean(); });
  const int threads = options_.load_threads > 0 || clean
                          ? Threads(options_.load_threads)
                          : std::max(Threads(0), kRecoveryThreads);
  ParallelFor(all.size(), threads, [&](size_t i) {
    auto [partition, place] = all[i];
    place->Loaded(place->dir->at->OpenLog(*partition, Uuid(), options_.config,
                                          false, now_ms),
                  *partition);
  });
  LOG(INFO) << "logs loaded count=" << all.size()
            << " previous_broker_epoch=" << previous_broker_epoch_;
}

Status LogManager::StartJournals() {
  for (const auto& dir : dirs_) {
    std::vector<Log*> logs;
    bool complete = true;
    ForEachPlace([&](const TopicPartition&, Place& place) {
      if (place.dir != dir.get()) return;
      if (place.log) logs.push_back(place.log.get());
      complete &= place.log != nullptr;
    });
    TM_RETURN_IF_ERROR(dir->at->StartJournal(logs, complete));
  }
  return {};
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
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
    if (dir->at->Remembers(partition)) return dir.get();
    if (best == nullptr || dir->partitions < best->partitions) {
      best = dir.get();
    }
  }
  return best;
}

Status LogManager::LoadLate(const TopicPartition& partition, int64_t now_ms) {
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end() || !it->second.error ||
        !io::IsShortage(*it->second.error)) {
      return {};
    }
    dir = it->second.dir->at.get();
  }
  auto log = dir->OpenLog(partition, Uuid(), options_.config, false, now_ms);
  if (log) TM_RETURN_IF_ERROR(dir->OpenedLate(**log));
  std::lock_guard lock(mutex_);
  Place& place = places_.at(partition);
  place.Loaded(std::move(log), partition);
  if (place.error) return Fail(*place.error);
  MaybeAllOpened(*place.dir);
  return {};
}

void LogManager::MaybeAllOpened(const Directory& dir) {
  const auto missing = [&](const auto& entry) {
    return entry.second.dir == &dir && entry.second.error;
  };
  if (std::none_of(places_.begin(), places_.end(), missing) &&
      std::none_of(doubles_.begin(), doubles_.end(), missing)) {
    dir.at->AllOpened();
  }
}

// Where it is not assigned to this broker any more nobody asks for it, and the
// journal would be kept for it.
void LogManager::LoadLeftOver() {
  if (!left_over_) return;
  std::vector<TopicPartition> left;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [partition, place] : places_) {
      if (place.error && io::IsShortage(*place.error) &&
          !place.dir->at->health().offline()) {
        left.push_back(partition);
      }
    }
  }
  left_over_ = !left.empty();
  for (const TopicPartition& partition : left) {
    workers_.Do(partition,
                [this, partition] { (void)LoadLate(partition, started_ms_); });
  }
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
    stray.log = nullptr;
    TM_ASSIGN_OR_RETURN(auto path,
                        stray.dir->at->RenameAway(partition, kStraySuffix));
    std::lock_guard lock(mutex_);
    if (stray.error) MaybeAllOpened(*stray.dir);
    removals_.push_back({stray.dir->at.get(), std::move(path)});
    wake_.notify_one();
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
    found = nullptr;
    TM_RETURN_IF_ERROR(RenameAway(*dir->at, partition, kStraySuffix));
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
  auto log = dir->at->OpenLog(partition, topic_id, config, true, now_ms);
  if (!log) NotMade(*dir, partition);
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
  if (it != places_.end()) {
    const bool was_missing = it->second.error.has_value();
    const Directory& place = *it->second.dir;
    --it->second.dir->partitions;
    places_.erase(it);
    if (was_missing) MaybeAllOpened(place);
    if (auto other = doubles_.extract(partition); !other.empty()) {
      places_.emplace(partition, std::move(other.mapped()));
    }
  }
  if (!renamed) return Fail(renamed.error());
  removals_.push_back({&dir, *renamed});
  wake_.notify_one();
  return {};
}

Status LogManager::DeleteLog(std::unique_ptr<Log> log) {
  const TopicPartition partition = log->partition();
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
  return RenameAway(*dir, partition, kDeleteSuffix);
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
  LOG(WARNING) << "stray log removed partition=" << ToString(partition)
               << " topic_id=" << ToString(topic_id);
  log = nullptr;
  return RenameAway(*dir, partition, kStraySuffix);
}

void LogManager::Checkpoint() {
  for (const auto& dir : dirs_) dir->at->Checkpoint();
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

void LogManager::CheckSpace() {
  for (const auto& dir : dirs_) {
    if (dir->at->health().offline()) continue;
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
    const bool last = stopping_;
    const auto removals = std::exchange(removals_, {});
    const bool high_watermarks = std::exchange(high_watermarks_set_, false);
    lock.unlock();
    if (!removals.empty()) Remove(removals);
    for (const auto& dir : dirs_) {
      if (high_watermarks) (void)dir->at->WriteHighWatermarks();
    }
    CheckSpace();
    if (!last) LoadLeftOver();
    lock.lock();
    if (last && removals_.empty()) return;
  }
}

// One sync and one set of checkpoint files for all of them.
void LogManager::Remove(const std::vector<Removal>& removals) {
  for (const auto& dir : dirs_) {
    const bool concerned = std::any_of(
        removals.begin(), removals.end(),
        [&](const auto& removal) { return removal.dir == dir->at.get(); });
    if (!concerned || dir->at->health().offline()) continue;
    (void)dir->at->SyncNames();
    (void)dir->at->WriteCheckpoints();
    (void)dir->at->WriteHighWatermarks();
  }
  for (const Removal& removal : removals) {
    if (Status removed = fs_.RemoveAll(removal.path); !removed) {
      LOG(WARNING) << "not removed path=" << removal.path
                   << " error=" << removed.error().message;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kBetweenRemovals, [this] { return stopping_; });
  }
}

}  // namespace tidemark::log
