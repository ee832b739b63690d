#pragma once

#include <memory>
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

  // Who decides about replicas without a log, and is told where those with one
  // are. Before the first Open; outlives the store's use.
  void Tell(ReplicaLocations* locations) { locations_ = locations; }

  Result<std::unique_ptr<log::Log>> Open(const TopicPartition& partition,
                                         const Uuid& topic_id,
                                         const log::LogConfig& config,
                                         bool is_new, int64_t now_ms) override;
  Status Delete(std::unique_ptr<log::Log> log) override;
  Offset HighWatermark(const TopicPartition& partition) override;
  Status WriteHighWatermarks(const log::OffsetMap& offsets) override;
  Status WriteCheckpoints(
      const std::vector<std::pair<TopicPartition, Checkpoint>>& logs) override;
  void Sync(const TopicPartition& partition, log::SyncWork work,
            std::function<void(Status)> done) override;
  std::vector<std::pair<TopicPartition, Uuid>> Unopened() override;
  Status RemoveStray(const TopicPartition& partition,
                     const Uuid& topic_id) override;
  Status ShutDown(std::vector<std::unique_ptr<log::Log>> logs,
                  BrokerEpoch broker_epoch) override;

 private:
  log::LogManager& manager_;
  ReplicaLocations* locations_ = nullptr;
};

}  // namespace tidemark::server
