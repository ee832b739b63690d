#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/log/log_manager.h"
#include "broker/replication/log_store.h"

namespace tidemark::server {

class ReplicaLocations;

// The log manager as replication sees it. Any thread.
class PartitionStore final : public replication::LogStore {
 public:
  // `manager` outlives the store.
  explicit PartitionStore(log::LogManager& manager) : manager_(manager) {}
  // Waits for what was asked for.
  ~PartitionStore() override;

  // Who decides about replicas without a log, and is told where those with one
  // are. Before the first Open; nullptr before it goes, which waits until
  // nobody asks it any more.
  void Tell(ReplicaLocations* locations);
  // A log that was made is there for good: log::LogDirectory::Options.
  void Created(const TopicPartition& partition, const Uuid& topic_id,
               const std::string& dir);

  std::unique_ptr<log::Log> Take(const TopicPartition& partition,
                                 const Uuid& topic_id,
                                 const log::LogConfig& config) override;
  void Open(const TopicPartition& partition, const Uuid& topic_id,
            const log::LogConfig& config, bool is_new, int64_t now_ms,
            Opened done) override;
  void Do(std::unique_ptr<log::Log> log, Change change, Changed done) override;
  void Delete(std::unique_ptr<log::Log> log) override;
  Offset HighWatermark(const TopicPartition& partition) override;
  void SetHighWatermarks(const log::OffsetMap& offsets) override;
  void KeepStart(const TopicPartition& partition,
                 std::function<void(Status)> done) override;
  void Checkpoint() override;
  void Sync(log::SyncWork work, std::function<void(Status)> done) override;
  std::vector<std::pair<TopicPartition, Uuid>> Unopened() override;
  void RemoveStray(const TopicPartition& partition,
                   const Uuid& topic_id) override;
  void KeepLogs(bool keep) override { manager_.KeepLogs(keep); }
  void ShutDown(std::vector<std::unique_ptr<log::Log>> logs,
                BrokerEpoch broker_epoch,
                std::function<void(Status)> done) override;

 private:
  ReplicaLocations* Locations() const;
  bool IsMissed(const TopicPartition& partition, const Uuid& topic_id) const;
  Result<std::unique_ptr<log::Log>> OpenNow(const TopicPartition& partition,
                                            const Uuid& topic_id,
                                            const log::LogConfig& config,
                                            bool is_new, int64_t now_ms);

  log::LogManager& manager_;
  mutable std::mutex mutex_;  // of what follows
  ReplicaLocations* locations_ = nullptr;
  std::thread closing_;
};

}  // namespace tidemark::server
