#include "broker/server/partition_store.h"

#include <utility>

#include "common/base/clock.h"

namespace tidemark::server {

// A log on loan: everything goes to the log itself, except that deleting it
// is up to the log manager and that it goes back to the store in the end.
class PartitionStore::BorrowedLog final : public log::Log {
 public:
  BorrowedLog(PartitionStore& store, std::unique_ptr<log::Log> log)
      : store_(store), log_(std::move(log)) {}
  ~BorrowedLog() override {
    if (log_ != nullptr) store_.Return(std::move(log_));
  }

  Result<log::AppendInfo> AppendAsLeader(std::string_view batch,
                                         LeaderEpoch epoch,
                                         int64_t now_ms) override {
    return log_->AppendAsLeader(batch, epoch, now_ms);
  }
  Result<log::AppendInfo> AppendFromCoordinator(std::string_view batch,
                                                LeaderEpoch epoch,
                                                int64_t now_ms) override {
    return log_->AppendFromCoordinator(batch, epoch, now_ms);
  }
  Result<log::AppendInfo> AppendAsFollower(std::string_view batches) override {
    return log_->AppendAsFollower(batches);
  }
  Result<SharedBytes> Read(Offset from, Offset below, size_t max_bytes,
                           bool at_least_one) override {
    return log_->Read(from, below, max_bytes, at_least_one);
  }
  Offset start_offset() const override { return log_->start_offset(); }
  Offset end_offset() const override { return log_->end_offset(); }
  Offset flushed_offset() const override { return log_->flushed_offset(); }
  int64_t size_bytes() const override { return log_->size_bytes(); }
  std::optional<log::SyncWork> TakeSync() override { return log_->TakeSync(); }
  void Flushed(const log::SyncWork& work) override { log_->Flushed(work); }
  void SyncFailed(const log::SyncWork& work) override {
    log_->SyncFailed(work);
  }
  bool failed() const override { return log_->failed(); }
  Status AssignEpoch(LeaderEpoch epoch, Offset start) override {
    return log_->AssignEpoch(epoch, start);
  }
  LeaderEpoch latest_epoch() const override { return log_->latest_epoch(); }
  log::EpochEnd EndOffsetFor(LeaderEpoch epoch) const override {
    return log_->EndOffsetFor(epoch);
  }
  std::optional<LeaderEpoch> EpochOfOffset(Offset offset) const override {
    return log_->EpochOfOffset(offset);
  }
  Result<std::optional<log::TimestampedOffset>> FindByTimestamp(
      int64_t timestamp_ms) override {
    return log_->FindByTimestamp(timestamp_ms);
  }
  Result<std::optional<log::TimestampedOffset>> FindMaxTimestamp() override {
    return log_->FindMaxTimestamp();
  }
  Status TruncateTo(Offset offset) override { return log_->TruncateTo(offset); }
  Status TruncateFullyAndStartAt(Offset offset) override {
    return log_->TruncateFullyAndStartAt(offset);
  }
  Status AdvanceStartOffset(Offset offset) override {
    return log_->AdvanceStartOffset(offset);
  }
  Result<int> ApplyRetention(Offset high_watermark, int64_t now_ms) override {
    return log_->ApplyRetention(high_watermark, now_ms);
  }
  void UpdateConfig(const log::LogConfig& config) override {
    log_->UpdateConfig(config);
  }
  Result<Offset> RecoveryPoint() override { return log_->RecoveryPoint(); }
  const TopicPartition& partition() const override { return log_->partition(); }
  const Uuid& topic_id() const override { return log_->topic_id(); }
  const std::string& dir() const override { return log_->dir(); }
  Status AdoptTopicId(const Uuid& topic_id) override {
    return log_->AdoptTopicId(topic_id);
  }
  // The clean shutdown closes it.
  Status Close() override { return {}; }
  Status Delete() override {
    return store_.manager_.DeleteLog(std::move(log_));
  }

 private:
  PartitionStore& store_;
  std::unique_ptr<log::Log> log_;  // null: deleted
};

Result<std::unique_ptr<log::Log>> PartitionStore::Open(
    const TopicPartition& partition, const Uuid& topic_id,
    const log::LogConfig& config) {
  std::unique_ptr<log::Log> log;
  {
    std::lock_guard lock(mutex_);
    const auto found = returned_.find(partition);
    if (found != returned_.end()) {
      log = std::move(found->second);
      returned_.erase(found);
    }
  }
  if (log != nullptr && log->topic_id() != topic_id) {
    TM_RETURN_IF_ERROR(manager_.DeleteLog(std::move(log)));
    log = nullptr;
  }
  if (log == nullptr) {
    TM_ASSIGN_OR_RETURN(log, manager_.GetOrCreate(partition, topic_id, config,
                                                  SystemClock().WallMs()));
  }
  log->UpdateConfig(config);
  return std::make_unique<BorrowedLog>(*this, std::move(log));
}

Offset PartitionStore::HighWatermark(const TopicPartition& partition) {
  return manager_.CheckpointedHighWatermark(partition).value_or(-1);
}

Status PartitionStore::WriteHighWatermarks(const log::OffsetMap& offsets) {
  return manager_.WriteHighWatermarks(offsets);
}

void PartitionStore::Sync(const TopicPartition& partition, log::SyncWork work,
                          std::function<void(Status)> done) {
  manager_.syncer(partition).Enqueue(std::move(work), std::move(done));
}

// The log itself comes back, or is deleted, with its last owner.
void PartitionStore::Forget(const TopicPartition&) {}

void PartitionStore::Return(std::unique_ptr<log::Log> log) {
  std::lock_guard lock(mutex_);
  const TopicPartition partition = log->partition();
  returned_[partition] = std::move(log);
}

Status PartitionStore::ShutDownCleanly(BrokerEpoch broker_epoch) {
  std::vector<std::unique_ptr<log::Log>> logs;
  {
    std::lock_guard lock(mutex_);
    for (auto& [partition, log] : returned_) logs.push_back(std::move(log));
    returned_.clear();
  }
  return manager_.ShutdownCleanly(std::move(logs), broker_epoch);
}

}  // namespace tidemark::server
