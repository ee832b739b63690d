#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker/log/checkpoint.h"
#include "broker/log/log.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::replication {

// The disk as replication sees it: where logs come from and go to, what makes
// them durable, and the checkpoint files. Any thread; nothing waits for a disk.
// What does is done on other threads, for each partition in the order in which
// it was asked for; `done` runs there, and only posts.
class LogStore {
 public:
  virtual ~LogStore() = default;

  // The log of a partition that this broker is assigned, if it was found at
  // start and nothing has to be made of it; else nullptr: Open.
  virtual std::unique_ptr<log::Log> Take(const TopicPartition& partition,
                                         const Uuid& topic_id,
                                         const log::LogConfig& config) = 0;
  // Any log of a partition that this broker is assigned: the one found at
  // start, or a new one. Unless the partition `is_new`, it is refused an empty
  // log while a directory that may hold its own is offline.
  // REQUIRES, as for Take: it is not handed out already.
  using Opened = std::function<void(Result<std::unique_ptr<log::Log>>)>;
  virtual void Open(const TopicPartition& partition, const Uuid& topic_id,
                    const log::LogConfig& config, bool is_new, int64_t now_ms,
                    Opened done) = 0;
  // Whatever waits for the disk. `done` gets the log, and what came of it.
  using Change = std::function<Status(log::Log&)>;
  using Changed = std::function<void(std::unique_ptr<log::Log>, Status)>;
  virtual void Do(std::unique_ptr<log::Log> log, Change change,
                  Changed done) = 0;
  // The partition can be opened anew at once.
  virtual void Delete(std::unique_ptr<log::Log> log) = 0;

  // Of the last checkpoint; -1 when there is none.
  virtual Offset HighWatermark(const TopicPartition& partition) = 0;
  // For the next checkpoint; written in the background.
  virtual void SetHighWatermarks(const log::OffsetMap& offsets) = 0;
  // The start that the log has now is for good when `done` runs, on a thread of
  // the store; it only posts.
  virtual void KeepStart(const TopicPartition& partition,
                         std::function<void(Status)> done) = 0;
  // Have recovery points and starts of logs written, in the background.
  virtual void Checkpoint() = 0;

  // Carries out the work of a log that is handed out on another thread, then
  // runs `done` there, which only posts.
  virtual void Sync(log::SyncWork work, std::function<void(Status)> done) = 0;

  // Logs found at start that nobody has opened.
  virtual std::vector<std::pair<TopicPartition, Uuid>> Unopened() = 0;
  virtual void RemoveStray(const TopicPartition& partition,
                           const Uuid& topic_id) = 0;

  // From now on logs that would be removed are kept beside, or are not.
  virtual void KeepLogs(bool keep) = 0;

  // `logs`: all that were handed out. Finishes what was asked for, syncs and
  // closes them and marks the directories as cleanly shut down in
  // `broker_epoch`. Once.
  virtual void ShutDown(std::vector<std::unique_ptr<log::Log>> logs,
                        BrokerEpoch broker_epoch,
                        std::function<void(Status)> done) = 0;
};

}  // namespace tidemark::replication
