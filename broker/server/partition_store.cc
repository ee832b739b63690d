#include "broker/server/partition_store.h"

#include <glog/logging.h>

#include <utility>

#include "broker/server/replica_locations.h"

namespace tidemark::server {

std::unique_ptr<log::Log> PartitionStore::Take(const TopicPartition& partition,
                                               const Uuid& topic_id,
                                               const log::LogConfig& config) {
  auto log = manager_.TakeFound(partition, topic_id, config);
  if (log == nullptr) return nullptr;
  if (ReplicaLocations* const locations = Locations()) {
    locations->Opened(partition, topic_id, manager_.DirectoryOf(partition));
  }
  return log;
}

void PartitionStore::Open(const TopicPartition& partition, const Uuid& topic_id,
                          const log::LogConfig& config, bool is_new,
                          int64_t now_ms, Opened done) {
  manager_.workers().Do(partition, [=, this, done = std::move(done)] {
    done(OpenNow(partition, topic_id, config, is_new, now_ms));
  });
}

Result<std::unique_ptr<log::Log>> PartitionStore::OpenNow(
    const TopicPartition& partition, const Uuid& topic_id,
    const log::LogConfig& config, bool is_new, int64_t now_ms) {
  TM_RETURN_IF_ERROR(manager_.RemoveDoubles(partition, topic_id));
  TM_RETURN_IF_ERROR(manager_.LoadLate(partition, now_ms));
  ReplicaLocations* const locations = Locations();
  // Where a log of this very topic is counted on, and none has its id, it is
  // most likely this one. Elsewhere it may be an earlier topic's of that name,
  // whose records would pass for this one's.
  if (locations != nullptr && manager_.IsNameless(partition) &&
      locations->CountedOn(partition) != topic_id) {
    TM_RETURN_IF_ERROR(manager_.SetAside(partition));
  }
  const bool found = manager_.Has(partition, topic_id);
  if (locations != nullptr && !found) {
    // In a directory that cannot be seen it may well be there.
    const bool gone = manager_.OfflineDirectories().empty();
    TM_RETURN_IF_ERROR(
        locations->MayStartOver(partition, topic_id,
                                gone ? ReplicaLocations::Loss::kGone
                                     : ReplicaLocations::Loss::kOutOfSight));
  } else if (locations != nullptr && manager_.IsShortened(partition)) {
    TM_RETURN_IF_ERROR(locations->MayStartOver(
        partition, topic_id, ReplicaLocations::Loss::kShortened));
  }
  TM_ASSIGN_OR_RETURN(auto log, manager_.GetOrCreate(partition, topic_id,
                                                     config, is_new, now_ms));
  log->UpdateConfig(config);
  // A new one is told of when it is there for good.
  if (locations != nullptr && found) {
    locations->Opened(partition, topic_id, manager_.DirectoryOf(partition));
  }
  return log;
}

void PartitionStore::Tell(ReplicaLocations* locations) {
  {
    std::lock_guard lock(mutex_);
    locations_ = locations;
  }
  if (locations == nullptr) manager_.workers().Finish();
}

ReplicaLocations* PartitionStore::Locations() const {
  std::lock_guard lock(mutex_);
  return locations_;
}

void PartitionStore::Created(const TopicPartition& partition,
                             const Uuid& topic_id, const std::string& dir) {
  std::lock_guard lock(mutex_);
  if (locations_ != nullptr) locations_->Opened(partition, topic_id, dir);
}

void PartitionStore::Do(std::unique_ptr<log::Log> log, Change change,
                        Changed done) {
  const TopicPartition partition = log->partition();
  auto lent = std::make_shared<std::unique_ptr<log::Log>>(std::move(log));
  manager_.workers().Do(
      partition, [lent, change = std::move(change), done = std::move(done)] {
        Status changed = change(**lent);
        done(std::move(*lent), std::move(changed));
      });
}

void PartitionStore::Delete(std::unique_ptr<log::Log> log) {
  const TopicPartition partition = log->partition();
  auto deleted = std::make_shared<std::unique_ptr<log::Log>>(std::move(log));
  manager_.workers().DoSlowly(partition, [this, partition, deleted] {
    const Status done = manager_.DeleteLog(std::move(*deleted));
    LOG_IF(ERROR, !done) << "cannot delete log partition="
                         << ToString(partition)
                         << " error=" << ToString(done.error());
  });
}

Offset PartitionStore::HighWatermark(const TopicPartition& partition) {
  return manager_.CheckpointedHighWatermark(partition).value_or(-1);
}

void PartitionStore::SetHighWatermarks(const log::OffsetMap& offsets) {
  manager_.SetHighWatermarks(offsets);
}

void PartitionStore::KeepStart(const TopicPartition& partition,
                               std::function<void(Status)> done) {
  manager_.workers().Do(partition, [this, partition, done = std::move(done)] {
    done(manager_.KeepStart(partition));
  });
}

void PartitionStore::Checkpoint() { manager_.Checkpoint(); }

void PartitionStore::Sync(log::SyncWork work,
                          std::function<void(Status)> done) {
  log::LogSyncer* const syncer = work.mark->syncer();
  syncer->Enqueue(std::move(work), std::move(done));
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

void PartitionStore::RemoveStray(const TopicPartition& partition,
                                 const Uuid& topic_id) {
  manager_.workers().Do(partition, [this, partition, topic_id] {
    if (IsMissed(partition, topic_id)) return;
    const Status removed = manager_.RemoveStray(partition, topic_id);
    LOG_IF(WARNING, !removed)
        << "cannot remove stray partition=" << ToString(partition)
        << " error=" << ToString(removed.error());
  });
}

// One log is missing, and another is there by its name that nobody has asked
// for: most likely they are one, and its partition.metadata is damaged.
bool PartitionStore::IsMissed(const TopicPartition& partition,
                              const Uuid& topic_id) const {
  const ReplicaLocations* const locations = Locations();
  const auto wanted =
      locations == nullptr ? std::nullopt : locations->CountedOn(partition);
  if (!wanted || manager_.Has(partition, *wanted)) return false;
  LOG(ERROR) << "log of an unknown topic kept partition=" << ToString(partition)
             << " dir=" << manager_.DirectoryOf(partition)
             << " topic_id=" << ToString(topic_id)
             << ": the log of topic_id=" << ToString(*wanted)
             << " is missing. If they are the same, write that id into its "
                "partition.metadata, start again and, where nobody else has "
                "it, let it be elected uncleanly; if not, remove it";
  return true;
}

void PartitionStore::ShutDown(std::vector<std::unique_ptr<log::Log>> logs,
                              BrokerEpoch broker_epoch,
                              std::function<void(Status)> done) {
  auto all = std::make_shared<decltype(logs)>(std::move(logs));
  std::lock_guard lock(mutex_);
  closing_ = std::thread([this, all, broker_epoch, done = std::move(done)] {
    done(manager_.ShutdownCleanly(std::move(*all), broker_epoch));
  });
}

PartitionStore::~PartitionStore() {
  manager_.workers().Finish();
  if (closing_.joinable()) closing_.join();
}

}  // namespace tidemark::server
