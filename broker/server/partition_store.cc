#include "broker/server/partition_store.h"

#include <utility>

#include "broker/server/replica_locations.h"

namespace tidemark::server {

Result<std::unique_ptr<log::Log>> PartitionStore::Open(
    const TopicPartition& partition, const Uuid& topic_id,
    const log::LogConfig& config, bool is_new, int64_t now_ms) {
  TM_RETURN_IF_ERROR(manager_.LoadLate(partition, now_ms));
  if (locations_ != nullptr && !manager_.Has(partition, topic_id)) {
    // In a directory that cannot be seen it may well be there.
    const bool gone = manager_.OfflineDirectories().empty();
    TM_RETURN_IF_ERROR(
        locations_->MayStartOver(partition, topic_id,
                                 gone ? ReplicaLocations::Loss::kGone
                                      : ReplicaLocations::Loss::kOutOfSight));
  } else if (locations_ != nullptr && manager_.IsShortened(partition)) {
    TM_RETURN_IF_ERROR(locations_->MayStartOver(
        partition, topic_id, ReplicaLocations::Loss::kShortened));
  }
  TM_ASSIGN_OR_RETURN(auto log, manager_.GetOrCreate(partition, topic_id,
                                                     config, is_new, now_ms));
  log->UpdateConfig(config);
  if (locations_ != nullptr) {
    locations_->Opened(partition, topic_id, manager_.DirectoryOf(partition));
  }
  return log;
}

Status PartitionStore::Delete(std::unique_ptr<log::Log> log) {
  return manager_.DeleteLog(std::move(log));
}

Offset PartitionStore::HighWatermark(const TopicPartition& partition) {
  return manager_.CheckpointedHighWatermark(partition).value_or(-1);
}

Status PartitionStore::WriteHighWatermarks(const log::OffsetMap& offsets) {
  return manager_.WriteHighWatermarks(offsets);
}

Status PartitionStore::WriteCheckpoints(
    const std::vector<std::pair<TopicPartition, Checkpoint>>& logs) {
  std::vector<log::LogCheckpoint> checkpoints;
  checkpoints.reserve(logs.size());
  for (const auto& [partition, checkpoint] : logs) {
    checkpoints.push_back({partition, checkpoint.recovery_point,
                           checkpoint.start_offset, std::nullopt});
  }
  return manager_.WriteCheckpoints(checkpoints);
}

void PartitionStore::Sync(const TopicPartition& partition, log::SyncWork work,
                          std::function<void(Status)> done) {
  manager_.syncer(partition).Enqueue(std::move(work), std::move(done));
}

std::vector<std::pair<TopicPartition, Uuid>> PartitionStore::Unopened() {
  std::vector<std::pair<TopicPartition, Uuid>> out;
  for (auto& loaded : manager_.LoadedPartitions()) {
    // Without its id nobody can tell whose it is.
    if (loaded.topic_id.IsZero()) continue;
    out.emplace_back(std::move(loaded.partition), loaded.topic_id);
  }
  return out;
}

Status PartitionStore::RemoveStray(const TopicPartition& partition,
                                   const Uuid& topic_id) {
  return manager_.RemoveStray(partition, topic_id);
}

Status PartitionStore::ShutDown(std::vector<std::unique_ptr<log::Log>> logs,
                                BrokerEpoch broker_epoch) {
  return manager_.ShutdownCleanly(std::move(logs), broker_epoch);
}

}  // namespace tidemark::server
