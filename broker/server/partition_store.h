#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "broker/log/log_manager.h"
#include "broker/replication/log_store.h"

namespace tidemark::server {

// The log manager as replication sees it. A log that replication closes, or
// lets go when a replica is moved away, comes back here and can be opened
// again; at the end all of them are there for the clean shutdown. Any thread.
class PartitionStore final : public replication::LogStore {
 public:
  // `manager` outlives the store and its logs.
  explicit PartitionStore(log::LogManager& manager) : manager_(manager) {}

  Result<std::unique_ptr<log::Log>> Open(const TopicPartition& partition,
                                         const Uuid& topic_id,
                                         const log::LogConfig& config) override;
  Offset HighWatermark(const TopicPartition& partition) override;
  Status WriteHighWatermarks(const log::OffsetMap& offsets) override;
  void Sync(const TopicPartition& partition, log::SyncWork work,
            std::function<void(Status)> done) override;
  void Forget(const TopicPartition& partition) override;

  // Closes everything and marks the directories clean (B-28). Once replication
  // has closed all its logs. `broker_epoch` goes into the marker (C-03).
  Status ShutDownCleanly(BrokerEpoch broker_epoch);

 private:
  class BorrowedLog;
  void Return(std::unique_ptr<log::Log> log);

  log::LogManager& manager_;
  std::mutex mutex_;
  std::map<TopicPartition, std::unique_ptr<log::Log>> returned_;
};

}  // namespace tidemark::server
