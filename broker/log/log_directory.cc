#include "broker/log/log_directory.h"

#include <glog/logging.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <set>
#include <utility>

#include "broker/log/clean_shutdown.h"
#include "broker/log/lost_writes.h"
#include "broker/log/move_names.h"
#include "broker/log/segment.h"
#include "common/base/may_wait.h"

namespace tidemark::log {
namespace {

constexpr char kJournalDirectory[] = "journal";
constexpr uint64_t kLeastFile = 256 << 10;
constexpr std::chrono::milliseconds kOfflineCheck(100);
// Removed later than at once: a few MiB of names.
constexpr size_t kMostDelayed = 20'000;

}  // namespace

std::optional<TopicPartition> ParsePartitionDirectory(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  auto partition = ParseNumber(name.substr(dash + 1));
  if (!partition || *partition < 0 || *partition > INT32_MAX) {
    return std::nullopt;
  }
  TopicPartition parsed{std::string(name.substr(0, dash)),
                        static_cast<PartitionIndex>(*partition)};
  if (ToString(parsed) != name) return std::nullopt;
  return parsed;
}

bool IsTrashName(std::string_view name) {
  if (!name.ends_with("-delete") && !name.ends_with("-stray")) return false;
  name.remove_suffix(name.size() - name.rfind('-'));
  const size_t dot = name.rfind('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < name.size() &&
         std::all_of(name.begin() + static_cast<ptrdiff_t>(dot) + 1, name.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0; });
}

LogDirectory::LogDirectory(io::FileSystem& fs, std::string path,
                           std::shared_ptr<DirectoryHealth> health,
                           Options options)
    : fs_(fs),
      path_(std::move(path)),
      health_(std::move(health)),
      options_(options),
      delayed_(kMostDelayed) {}

LogDirectory::~LogDirectory() { StopJournal(); }

std::string LogDirectory::PathOf(const TopicPartition& partition) const {
  return path_ + "/" + ToString(partition);
}

Status LogDirectory::Read() {
  if (!fs_.Exists(path_)) {
    TM_RETURN_IF_ERROR(fs_.CreateDirectories(path_));
    const Status synced = SyncParent();
    // The next attempt has to make it again, and sync that.
    if (!synced) (void)fs_.RemoveAll(path_);
    TM_RETURN_IF_ERROR(synced);
  }
  TM_RETURN_IF_ERROR(CheckNoLostWrites(fs_, path_, options_.boot));
  TM_ASSIGN_OR_RETURN(auto names, fs_.List(path_));
  TM_ASSIGN_OR_RETURN(journal_,
                      ReadJournal(fs_, path_ + "/" + kJournalDirectory));
  TM_ASSIGN_OR_RETURN(auto marker, ReadCleanShutdownMarker(fs_, path_));
  clean_ = marker.has_value();
  broker_epoch_ = marker.value_or(-1);
  if (clean_) {
    // Empty anyway, unless another version has stopped it that knows nothing
    // of the journal.
    outdated_ = !journal_.plans.empty();
    journal_.plans.clear();
  } else {
    TM_RETURN_IF_ERROR(
        SyncJournal(fs_, path_ + "/" + kJournalDirectory, journal_));
  }
  TM_RETURN_IF_ERROR(FindLogs(names));
  if (!clean_) {
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(path_));
    TM_RETURN_IF_ERROR(SyncParent());
  }
  TM_RETURN_IF_ERROR(ReadCheckpoints());
  read_ = true;
  return {};
}

Status LogDirectory::Begin() { return RemoveCleanShutdownMarker(fs_, path_); }

Status LogDirectory::SyncParent() {
  const size_t slash = path_.rfind('/');
  return fs_.SyncDirectory(
      slash == std::string::npos ? "." : path_.substr(0, slash + 1));
}

// A log that was removed may be here once more: its owner finds that it is
// nobody's.
Status LogDirectory::FindLogs(const std::vector<std::string>& names) {
  for (const auto& [key, plan] : journal_.plans) {
    if (plan.created().empty()) continue;
    created_[{plan.created(), key.partition}] = key.topic_id;
  }
  for (const std::string& name : names) {
    if (IsTrashName(name)) {
      trash_.push_back(name);
    } else if (auto partition = ParsePartitionDirectory(name)) {
      TM_ASSIGN_OR_RETURN(const bool log, HoldsLog(*partition));
      if (log) found_.push_back(std::move(*partition));
    } else if (ParseFutureName(name)) {
      futures_.push_back(name);
    }
  }
  FindMarks();
  std::sort(found_.begin(), found_.end());
  const size_t found = found_.size();
  for (const auto& [partition, id] : created_) {
    if (!std::binary_search(found_.begin(),
                            found_.begin() + static_cast<ptrdiff_t>(found),
                            partition)) {
      found_.push_back(partition);
    }
  }
  std::sort(found_.begin(), found_.end());
  return {};
}

// Files and directories of others may have such names, and are let alone:
// backup-2024.
Result<bool> LogDirectory::HoldsLog(const TopicPartition& partition) const {
  const std::string dir = PathOf(partition);
  if (fs_.Exists(dir + "/" + kPartitionMetadataFile)) return true;
  if (!fs_.Exists(dir + "/")) return false;
  TM_ASSIGN_OR_RETURN(const auto names, fs_.List(dir));
  // A crash may have left no more of a new one than its name.
  return names.empty() ||
         std::any_of(names.begin(), names.end(), [](const auto& name) {
           return ParseSegmentFileName(name, ".log").has_value();
         });
}

Result<std::optional<Uuid>> LogDirectory::TopicIdOf(
    const TopicPartition& partition) const {
  TM_ASSIGN_OR_RETURN(auto id, ReadTopicId(fs_, PathOf(partition)));
  const auto created = created_.find(partition);
  if (!id && created != created_.end()) id = created->second;
  return id;
}

Result<bool> LogDirectory::IsEmpty(const TopicPartition& partition) const {
  const std::string dir = PathOf(partition);
  if (!fs_.Exists(dir)) return true;
  TM_ASSIGN_OR_RETURN(const auto names, fs_.List(dir));
  for (const std::string& name : names) {
    if (!name.ends_with(".log")) continue;
    TM_ASSIGN_OR_RETURN(const auto file, fs_.Open(dir + "/" + name, false));
    TM_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    if (size > 0) return false;
  }
  return true;
}

std::optional<JournalReplay> LogDirectory::FindReplay(
    const JournalKey& key) const {
  const auto it = journal_.plans.find(key);
  // Of a log that was removed it says nothing, not even whose a directory is.
  if (it == journal_.plans.end() || it->second.removed()) return std::nullopt;
  JournalReplay replay;
  replay.plan = &it->second;
  replay.read = [this](const JournalPlan::Append& append) {
    return journal_.Read(append);
  };
  return replay;
}

Offset LogDirectory::Promised(const Log& log) const {
  const auto plan =
      journal_.plans.find({log.topic_id(), log.partition().partition});
  std::lock_guard lock(mutex_);
  Offset promised = KnownOffset(recovery_points_, log.partition());
  if (plan != journal_.plans.end()) {
    promised = std::max(std::min(promised, plan->second.recovery_at_most()),
                        plan->second.promised());
  }
  return std::max(promised, KnownOffset(high_watermarks_, log.partition()));
}

uint64_t LogDirectory::Note(JournalRecord::Kind kind, JournalKey key,
                            Offset offset, std::string name, SyncWork work,
                            std::function<void()> safe) {
  // While logs are opened the journal is only read; StartJournal tells it what
  // came of that.
  if (!rounds_) return 0;
  const uint64_t note = rounds_->Note(kind, key, offset, std::move(name),
                                      std::move(work), std::move(safe));
  if (syncer_) syncer_->Noted(kind != JournalRecord::Kind::kCreated);
  return note;
}

Status LogDirectory::NoteNow(JournalRecord::Kind kind,
                             const std::shared_ptr<LogMark>& mark,
                             Offset offset) {
  AboutToWait("wait for the journal");
  // So that whoever frees the journal waits until the cut is done.
  SyncWork behind;
  behind.mark = mark;
  behind.generation = mark->generation();
  struct Waiting {
    std::mutex mutex;
    std::condition_variable wake;
    bool safe = false;
  };
  auto waiting = std::make_shared<Waiting>();
  const uint64_t note = Note(kind, mark->key(), offset, {}, std::move(behind),
                             [waiting, mark, generation = mark->generation()] {
                               mark->CutNoted(generation);
                               std::lock_guard lock(waiting->mutex);
                               waiting->safe = true;
                               waiting->wake.notify_one();
                             });
  if (!syncer_) return rounds_ ? RunNotes() : Status();
  std::unique_lock lock(waiting->mutex);
  while (!waiting->wake.wait_for(lock, kOfflineCheck,
                                 [&] { return waiting->safe; })) {
    if (health_->offline()) {
      return Fail(ErrorCode::kKafkaStorageError, path_ + " is offline");
    }
    // What is not withdrawn may be on disk by now, so it has to be waited for.
    if (syncer_->full() && rounds_->Withdraw(note)) {
      return Fail(ErrorCode::kOutOfSpace, "the journal has no room");
    }
  }
  return {};
}

// Without threads.
Status LogDirectory::RunNotes() {
  std::vector<JournalRounds::Item> none;
  while (true) {
    Status ran = rounds_->Run(none);
    if (ran || !io::IsShortage(ran.error())) return ran;
    auto ended = rounds_->TakeEnded();
    if (!ended) return ran;
    TM_RETURN_IF_ERROR(ended->Settle(fs_));
    TM_RETURN_IF_ERROR(WriteCheckpoints());
    rounds_->Free(*ended);
  }
}

OpenOptions LogDirectory::OptionsFor(const TopicPartition& partition,
                                     const Uuid& topic_id,
                                     const LogConfig& config,
                                     const std::shared_ptr<LogMark>& mark) {
  OpenOptions open;
  open.dir = PathOf(partition);
  open.partition = partition;
  open.topic_id = topic_id;
  open.config = config;
  open.health = health_;
  open.mark = mark;
  open.journal = [this, mark](JournalRecord::Kind kind, Offset offset) {
    return NoteNow(kind, mark, offset);
  };
  if (options_.workers != nullptr) {
    open.remove_later = [this, partition](std::vector<std::string> files,
                                          int64_t delay_ms) {
      options_.workers->Do(partition,
                           [this, files = std::move(files), delay_ms] {
                             RemoveUnused(files, delay_ms);
                           });
    };
  }
  return open;
}

Result<std::unique_ptr<Log>> LogDirectory::OpenLog(
    const TopicPartition& partition, const Uuid& topic_id,
    const LogConfig& config, bool fresh, int64_t now_ms) {
  auto mark = std::make_shared<LogMark>(*this);
  OpenOptions open = OptionsFor(partition, topic_id, config, mark);
  open.clean = clean_ || fresh;
  if (fresh) {
    TM_RETURN_IF_ERROR(ForgetName(partition));
  } else {
    std::lock_guard lock(mutex_);
    open.checkpointed = recovery_points_.contains(partition);
    open.recovery_point = KnownOffset(recovery_points_, partition);
    open.start_offset = KnownOffset(starts_, partition);
    open.first_dirty = KnownOffset(first_dirty_, partition);
  }
  if (!open.clean) {
    const auto created = created_.find(partition);
    if (created != created_.end()) open.lost_topic_id = created->second;
    // Without a journal it is as another version has left it.
    if (!journal_.files.empty() || !journal_.unused.empty()) {
      open.find_journal = [this](const JournalKey& key) {
        return FindReplay(key);
      };
    }
  }
  TM_ASSIGN_OR_RETURN(auto log, log::OpenLog(fs_, std::move(open), now_ms));
  if (fresh) NoteCreated(*log);
  std::lock_guard lock(mutex_);
  marks_[partition] = std::move(mark);
  return log;
}

Status LogDirectory::RemoveOrDelay(std::vector<std::string>* files,
                                   int64_t delay_ms) {
  if (delay_ms == 0 || health_->pressed()) return RemoveFiles(fs_, *files);
  TM_RETURN_IF_ERROR(RenameDeleted(fs_, files));
  const Instant due =
      std::chrono::steady_clock::now() + MillisecondsOf(delay_ms);
  for (std::string& file : *files) delayed_.Add(std::move(file), due);
  return {};
}

void LogDirectory::RemoveUnused(std::vector<std::string> files,
                                int64_t delay_ms) {
  if (health_->offline()) return;
  const Status removed = RemoveOrDelay(&files, delay_ms);
  if (removed) return;
  if (!io::IsShortage(removed.error())) {
    return health_->TakeOffline(removed.error());
  }
  // The next process finds them below the log's start.
  LOG(WARNING) << "not removed error=" << removed.error().message;
}

// Nothing of an earlier log by that name may come back after a crash and pass
// for the new one: its directory, or what the checkpoint files had of it.
// Mostly that is done: a removal is followed by a sync and a checkpoint.
Status LogDirectory::ForgetName(const TopicPartition& partition) {
  bool renamed = false;
  {
    std::lock_guard lock(mutex_);
    const auto it = renamed_away_.find(partition);
    renamed = it != renamed_away_.end() && !it->second.synced;
  }
  if (renamed) TM_RETURN_IF_ERROR(SyncNames());
  {
    std::lock_guard lock(mutex_);
    if (!written_recovery_points_.contains(partition) &&
        !written_starts_.contains(partition) &&
        !written_first_dirty_.contains(partition) &&
        !written_high_watermarks_.contains(partition)) {
      return {};
    }
  }
  TM_RETURN_IF_ERROR(WriteCheckpoints());
  return WriteHighWatermarks();
}

void LogDirectory::NoteCreated(Log& log) {
  SyncWork work = log.BehindJournal();
  const auto mark = work.mark;
  if (!mark) return;  // it is broken
  mark->SetNoted(false);
  Note(JournalRecord::Kind::kCreated, mark->key(), 0, log.partition().topic,
       std::move(work),
       [this, mark, partition = log.partition(), id = log.topic_id()] {
         mark->SetNoted(true);
         if (!options_.on_created || mark->removed()) return;
         options_.on_created(partition, id, path_);
       });
}

// All of its files together take no more than an eighth of the disk.
JournalRounds::Options LogDirectory::FittingJournal() const {
  JournalRounds::Options options = options_.journal;
  const auto space = fs_.Space(path_);
  if (!space) return options;
  const uint64_t most = space->total / 8 / options.journal.max_files;
  options.journal.file_bytes =
      std::min(options.journal.file_bytes,
               std::max(most / kJournalBlock * kJournalBlock, kLeastFile));
  return options;
}

Status LogDirectory::StartJournal(const std::vector<Log*>& logs,
                                  bool complete) {
  rounds_ =
      std::make_unique<JournalRounds>(fs_, path_ + "/" + kJournalDirectory,
                                      journal_, !complete, FittingJournal());
  if (outdated_) Note(JournalRecord::Kind::kAllSynced, {}, 0);
  for (Log* log : logs) Carry(*log);
  if (complete) NoteGone(logs);
  if (rounds_->HasNotes()) {
    // Before anything is appended that they are not about.
    const Status ran = RunNotes();
    if (!ran && io::IsShortage(ran.error())) return ran;
    if (!ran) health_->TakeOffline(ran.error());
  }
  if (complete) journal_ = JournalContents();
  all_forgotten_ = complete && !health_->offline();
  if (!options_.threads) return {};
  syncer_ = std::make_unique<JournalSyncer>(
      *rounds_, fs_, health_, [this] { return WriteCheckpoints(); },
      options_.sync_threads);
  if (rounds_->HasNotes()) syncer_->Noted(true);
  return {};
}

// What the journal has of an opened log is synced before it is forgotten.
// Where the log ends before that, which is damage, it says so: others write
// these offsets now.
void LogDirectory::Carry(Log& log) {
  const JournalKey key{log.topic_id(), log.partition().partition};
  const auto plan = journal_.plans.find(key);
  if (plan == journal_.plans.end() || plan->second.removed()) return;
  rounds_->Carry(log.BehindJournal());
  if (log.end_offset() < plan->second.promised()) {
    Note(JournalRecord::Kind::kCut, key, log.end_offset());
  }
}

// Logs that only the journal still knows of: one of the same id may be made.
void LogDirectory::NoteGone(const std::vector<Log*>& logs) {
  std::set<JournalKey> opened;
  for (const Log* log : logs) {
    opened.insert({log->topic_id(), log->partition().partition});
  }
  for (const auto& [key, plan] : journal_.plans) {
    if (plan.removed() || opened.contains(key)) continue;
    Note(JournalRecord::Kind::kRemoved, key, 0);
  }
}

Result<std::vector<std::string>> LogDirectory::ListTrash() const {
  TM_ASSIGN_OR_RETURN(auto names, fs_.List(path_));
  std::erase_if(names,
                [](const std::string& name) { return !IsTrashName(name); });
  return names;
}

Status LogDirectory::OpenedLate(Log& log) {
  const JournalKey key{log.topic_id(), log.partition().partition};
  const auto plan = journal_.plans.find(key);
  if (plan == journal_.plans.end()) return {};
  rounds_->Carry(log.BehindJournal());
  if (log.end_offset() >= plan->second.promised()) return {};
  std::shared_ptr<LogMark> mark;
  {
    std::lock_guard lock(mutex_);
    mark = marks_.at(log.partition());
  }
  return NoteNow(JournalRecord::Kind::kCut, mark, log.end_offset());
}

void LogDirectory::AllOpened() {
  if (rounds_ && rounds_->Release() && syncer_) syncer_->Checkpoint();
}

void LogDirectory::Enqueue(SyncWork work, Done done) {
  syncer_->Enqueue(std::move(work), std::move(done));
}

std::string LogDirectory::TrashName(const TopicPartition& partition,
                                    const char* suffix) {
  while (true) {
    // Names of files end at 255 bytes; topic names may take most of that.
    const std::string tail = "." + std::to_string(++renamed_) + suffix;
    std::string name = ToString(partition).substr(0, 255 - tail.size()) + tail;
    if (!fs_.Exists(path_ + "/" + name)) return name;
  }
}

Result<std::string> LogDirectory::RenameAway(const TopicPartition& partition,
                                             const char* suffix) {
  std::shared_ptr<LogMark> mark;
  {
    std::lock_guard lock(mutex_);
    for (auto* marks : {&marks_, &leaving_}) {
      if (auto found = marks->extract(partition); !found.empty()) {
        mark = std::move(found.mapped());
      }
    }
    recovery_points_.erase(partition);
    starts_.erase(partition);
    first_dirty_.erase(partition);
    high_watermarks_.erase(partition);
  }
  const std::string to = path_ + "/" + TrashName(partition, suffix);
  const auto rename = [&] { return fs_.Rename(PathOf(partition), to); };
  Status renamed = mark ? mark->Remove(rename) : rename();
  if (!renamed && io::IsShortage(renamed.error())) {
    std::lock_guard lock(mutex_);
    if (mark) leaving_[partition] = std::move(mark);
    return Fail(renamed.error());
  }
  if (!renamed && !fs_.Exists(PathOf(partition))) {
    LOG(WARNING) << "log to be removed is gone partition="
                 << ToString(partition) << " dir=" << path_;
    renamed = {};
  }
  if (!renamed) {
    health_->TakeOffline(renamed.error());
    return Fail(renamed.error());
  }
  const uint64_t number = ++renamed_;
  const bool noted = mark != nullptr && rounds_ != nullptr;
  {
    std::lock_guard lock(mutex_);
    renamed_away_[partition] = {number, false, !noted};
  }
  if (!noted) return to;
  Note(JournalRecord::Kind::kRemoved, mark->key(), 0, {}, {},
       [this, partition, number] {
         std::lock_guard lock(mutex_);
         const auto it = renamed_away_.find(partition);
         if (it == renamed_away_.end() || it->second.number != number) return;
         it->second.noted = true;
         if (it->second.synced) renamed_away_.erase(it);
       });
  return to;
}

bool LogDirectory::Remembers(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  return renamed_away_.contains(partition);
}

Status LogDirectory::SyncNames() {
  std::map<TopicPartition, RenamedAway> renamed;
  {
    std::lock_guard lock(mutex_);
    renamed = renamed_away_;
  }
  if (Status synced = fs_.SyncDirectory(path_); !synced) {
    if (!io::IsShortage(synced.error())) health_->TakeOffline(synced.error());
    return synced;
  }
  std::lock_guard lock(mutex_);
  for (const auto& [partition, then] : renamed) {
    const auto it = renamed_away_.find(partition);
    if (it == renamed_away_.end() || it->second.number != then.number) continue;
    it->second.synced = true;
    if (it->second.noted) renamed_away_.erase(it);
  }
  return {};
}

void LogDirectory::Checkpoint() {
  if (syncer_ && !health_->offline()) syncer_->Checkpoint();
}

void LogDirectory::StopJournal() { syncer_ = nullptr; }

Status LogDirectory::MarkClean(int64_t broker_epoch) {
  if (rounds_ && rounds_->HasHistory()) {
    Note(JournalRecord::Kind::kAllSynced, {}, 0);
    TM_RETURN_IF_ERROR(RunNotes());
  }
  return WriteCleanShutdownMarker(fs_, path_, broker_epoch);
}

}  // namespace tidemark::log
