// How a LogManager finds and loads what is in its directories: at start, and
// later what found no room then.

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "broker/log/log_manager.h"
#include "broker/log/lost_writes.h"
#include "broker/log/move_names.h"
#include "broker/log/parallel.h"

namespace tidemark::log {
namespace {

constexpr int kRecoveryThreads = 16;

}  // namespace

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
  TM_RETURN_IF_ERROR(manager->UnmarkCopies());
  manager->CheckDirectories();
  manager->housekeeper_ = std::thread([m = manager.get()] {
    pthread_setname_np(pthread_self(), "log-keeper");
    m->KeepHouse();
  });
  return manager;
}

void LogManager::AddDirectory(const std::string& path) {
  dirs_.push_back(std::make_unique<Directory>());
  auto health = std::make_shared<DirectoryHealth>(
      path,
      [this, path](const Error& why) {
        if (options_.on_offline) options_.on_offline(path, why);
      },
      [this, path] {
        if (!fs_.HasFailedToSync()) return;
        MarkLostWrites(fs_, path, options_.directory.boot);
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
  TM_RETURN_IF_ERROR(ResolveMoves());
  return each([](Directory& dir) { return dir.at->Begin(); });
}

Status LogManager::ReadDirectory(Directory& dir) {
  TM_RETURN_IF_ERROR(dir.at->Read());
  for (const std::string& name : dir.at->trash()) {
    removals_.push_back({dir.at.get(), dir.at->path() + "/" + name, {}});
  }
  for (const std::string& name : dir.at->futures()) {
    unfinished_.push_back(
        {*ParseFutureName(name), dir.at->path(), dir.at->path() + "/" + name});
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
    if (IsMove(partition, other, found)) return {};
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
    if (!place.dir->at->health().offline() && !place.error) {
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
  for (const auto& [partition, place] : all) {
    place->dir->missing += place->error ? 1 : 0;
  }
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

Status LogManager::LoadLate(const TopicPartition& partition, int64_t now_ms) {
  LogDirectory* dir = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto it = places_.find(partition);
    if (it == places_.end() || !it->second.error ||
        it->second.leaving_as != nullptr ||
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
  NotMissing(*place.dir);
  return {};
}

void LogManager::NotMissing(Directory& dir) {
  if (--dir.missing == 0) dir.at->AllOpened();
}

// What is not assigned to this broker any more nobody else asks for, and the
// journal would be kept for it. One attempt at a time: a disk may hang.
void LogManager::LoadMissing() {
  std::lock_guard lock(mutex_);
  if (closing_ || loading_ > 0) return;
  if (std::none_of(dirs_.begin(), dirs_.end(),
                   [](const auto& dir) { return dir->missing > 0; })) {
    return;
  }
  for (const auto& [partition, place] : places_) {
    if (!place.error || place.leaving_as != nullptr ||
        !io::IsShortage(*place.error) || place.dir->at->health().offline()) {
      continue;
    }
    ++loading_;
    workers_.Do(partition, [this, name = partition] {
      (void)LoadLate(name, started_ms_);
      std::lock_guard lock(mutex_);
      --loading_;
    });
  }
}

}  // namespace tidemark::log
