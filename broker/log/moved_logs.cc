// The part of LogDirectory that moves logs to others (log/move_names.h).

#include <glog/logging.h>

#include <chrono>
#include <thread>
#include <utility>

#include "broker/log/log_directory.h"
#include "broker/log/move_names.h"

namespace tidemark::log {
namespace {

constexpr std::chrono::seconds kPatience(10);
constexpr std::chrono::milliseconds kLookAgain(2);

}  // namespace

void LogDirectory::FindMarks() {
  for (const TopicPartition& partition : found_) {
    const std::string dir = PathOf(partition) + "/";
    if (fs_.Exists(dir + kCopyMark)) copies_.insert(partition);
    if (fs_.Exists(dir + kMovedMark)) moved_.insert(partition);
  }
}

Result<std::unique_ptr<Log>> LogDirectory::OpenFuture(
    const std::string& folder, const TopicPartition& partition,
    const Uuid& topic_id, LogConfig config, Offset start, int64_t now_ms) {
  // The folder itself stays: it says what was asked for.
  TM_ASSIGN_OR_RETURN(const auto names, fs_.List(folder));
  for (const std::string& name : names) {
    TM_RETURN_IF_ERROR(fs_.RemoveAll(folder + "/" + name));
  }
  OpenOptions open;
  open.dir = folder;
  open.partition = partition;
  open.topic_id = topic_id;
  open.config = config;
  open.config.flush_messages = 1;
  open.clean = true;
  open.start_offset = start;
  open.health = health_;
  return log::OpenLog(fs_, std::move(open), now_ms);
}

Status LogDirectory::TryPutCopy(std::string* folder,
                                const TopicPartition& partition) {
  // What an earlier move has left here.
  if (fs_.Exists(PathOf(partition))) {
    return Fail(ErrorCode::kOutOfSpace,
                PathOf(partition) + " is still to be removed");
  }
  {
    TM_ASSIGN_OR_RETURN(const auto mark,
                        fs_.Open(*folder + "/" + kCopyMark, true));
    TM_RETURN_IF_ERROR(mark->Sync());
  }
  TM_RETURN_IF_ERROR(fs_.SyncDirectory(*folder));
  TM_RETURN_IF_ERROR(ForgetName(partition));
  TM_RETURN_IF_ERROR(fs_.Rename(*folder, PathOf(partition)));
  folder->clear();
  return fs_.SyncDirectory(path_);
}

Result<std::unique_ptr<Log>> LogDirectory::PutCopy(
    std::string* folder, const TopicPartition& partition, const Uuid& topic_id,
    const LogConfig& config, Offset start, int64_t now_ms) {
  if (Status put = TryPutCopy(folder, partition); !put) {
    if (!io::IsShortage(put.error())) health_->TakeOffline(put.error());
    return Fail(put.error());
  }
  auto mark = std::make_shared<LogMark>(*this);
  OpenOptions open = OptionsFor(partition, topic_id, config, mark);
  open.clean = true;
  open.start_offset = start;
  TM_ASSIGN_OR_RETURN(auto log, log::OpenLog(fs_, std::move(open), now_ms));
  {
    std::lock_guard lock(mutex_);
    marks_[partition] = std::move(mark);
  }
  return log;
}

// From when it is there for good, nothing that is appended here counts.
Status LogDirectory::MarkMoved(const TopicPartition& partition) {
  const std::string path = PathOf(partition) + "/" + kMovedMark;
  const auto put = [&]() -> Status {
    TM_ASSIGN_OR_RETURN(const auto mark, fs_.Open(path, true));
    TM_RETURN_IF_ERROR(mark->Sync());
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(PathOf(partition)));
    return fs_.SyncDirectory(path_);
  };
  const Status marked = put();
  if (marked) return {};
  Status undone;
  if (!io::IsShortage(marked.error())) {
    undone = marked;
  } else if (fs_.Exists(path)) {
    undone = RemoveMovedMark(partition);
  }
  // What it says is not known, so nothing may be appended.
  if (!undone) health_->TakeOffline(undone.error());
  return marked;
}

Status LogDirectory::RemoveMovedMark(const TopicPartition& partition) {
  TM_RETURN_IF_ERROR(fs_.Remove(PathOf(partition) + "/" + kMovedMark));
  return fs_.SyncDirectory(PathOf(partition));
}

Status LogDirectory::RemoveCopyMark(const TopicPartition& partition) {
  return RemoveFiles(fs_, {PathOf(partition) + "/" + kCopyMark});
}

bool LogDirectory::HasLog(const TopicPartition& partition) const {
  return fs_.Exists(PathOf(partition));
}

bool LogDirectory::HasCopyMark(const TopicPartition& partition) const {
  return fs_.Exists(PathOf(partition) + "/" + kCopyMark);
}

bool LogDirectory::HasMovedMark(const TopicPartition& partition) const {
  return fs_.Exists(PathOf(partition) + "/" + kMovedMark);
}

Result<std::string> LogDirectory::DropFuture(const TopicPartition& partition,
                                             const std::string& folder) {
  std::string name = path_ + "/" + TrashName(partition, "-delete");
  TM_RETURN_IF_ERROR(fs_.Rename(folder, name));
  return name;
}

bool LogDirectory::AwaitForgotten(const TopicPartition& partition) const {
  const Instant until = std::chrono::steady_clock::now() + kPatience;
  while (Remembers(partition)) {
    if (health_->offline() || std::chrono::steady_clock::now() > until) {
      return false;
    }
    // A round of the journal, which has nothing to tell but to those who wait
    // for their own records.
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

}  // namespace tidemark::log
