#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/metadata/controller_client.h"
#include "broker/replication/isr_updater.h"
#include "broker/replication/replica_manager.h"
#include "broker/replication/replica_shard.h"

namespace tidemark::replication {

struct ReplicaManagerOptions {
  ShardOptions shard;
  // Where it goes that a follower's log is damaged: the controllers take the
  // replica out of the ISR, and then it cuts its log and fetches anew.
  TellDamage tell_damage;
  // What a shard sees of a broker that it fetches from. Any thread.
  std::function<void(size_t shard, NodeId peer, PeerStanding)> tell_standing;
  // Threads that wait for a disk where shards would have to in order to read.
  std::vector<Executor*> readers;
  // replica.high.watermark.checkpoint.interval.ms
  Duration high_watermark_checkpoint = std::chrono::seconds(5);
  // log.flush.offset.checkpoint.interval.ms
  Duration recovery_point_checkpoint = std::chrono::minutes(1);
  // log.retention.check.interval.ms
  Duration retention_check = std::chrono::minutes(5);
};

// The replica manager over real shards: spreads partitions by topic and index,
// posts every call to the shards it concerns and gathers the answers.
//
// Destroyed after its executors have stopped; what it is given outlives it.
class ReplicaManagerImpl final : public ReplicaManager {
 public:
  ReplicaManagerImpl(std::vector<Executor*> executors,
                     ReplicaManagerOptions options, LogStore& logs,
                     ControllerClient& controller, TransportFactory connect);
  ~ReplicaManagerImpl() override;

  // Begins the periodic work. After the last Listen.
  void Start();

  Executor& ShardOf(const TopicPartition& partition) override;
  void ApplyImage(metadata::ImagePtr image,
                  std::shared_ptr<const metadata::Delta> delta, Executor& on,
                  std::function<void()> done) override;
  void Produce(std::vector<ProduceItem> items, int16_t acks, Duration timeout,
               Executor& on,
               std::function<void(std::vector<ProduceOutcome>)> done) override;
  void AppendCommitted(const TopicPartition& partition, LeaderEpoch epoch,
                       SharedBytes batch,
                       const log::TransactionContext& transaction,
                       Duration timeout, Executor& on,
                       std::function<void(Result<Offset>)> done) override;
  void BeginVerification(const TopicPartition& partition, ProducerId producer,
                         ProducerEpoch epoch, Executor& on,
                         std::function<void(Result<uint64_t>)> done) override;
  void AppendMarkers(std::vector<MarkerItem> items, Duration timeout,
                     Executor& on,
                     std::function<void(std::vector<ErrorCode>)> done) override;
  void DescribeProducers(
      const TopicPartition& partition, Executor& on,
      std::function<void(Result<std::vector<ActiveProducer>>)> done) override;
  void ReadLog(const TopicPartition& partition, LeaderEpoch epoch, Offset from,
               size_t max_bytes, Executor& on,
               std::function<void(Result<LogChunk>)> done) override;
  void TrimLog(const TopicPartition& partition, LeaderEpoch epoch,
               Offset before, Executor& on,
               std::function<void(Status)> done) override;
  void DeleteRecords(const TopicPartition& partition, Offset before,
                     Duration timeout, Executor& on,
                     std::function<void(Result<Offset>)> done) override;
  void DescribeReplicas(
      Executor& on,
      std::function<void(std::vector<ReplicaSize>)> done) override;
  void Listen(const std::string& topic, LeadershipListener* listener) override;

  size_t ShardIndexOf(const TopicPartition& partition) const;
  NodeId self() const { return options_.shard.self; }
  size_t shard_count() const { return shards_.size(); }
  ReplicaShard& shard(size_t index) { return *shards_[index]; }
  // What all shards have counted. Any thread.
  Stats stats() const;
  // Of whoever is no shard.
  Stats& own_stats() { return own_stats_; }

  // Whether the controllers have been silent for a session. Any thread.
  void SetControllersSilent(bool silent);
  // Has the high watermarks that have changed written, then runs `done` on a
  // shard.
  void CheckpointHighWatermarks(std::function<void()> done);
  // Any thread. A log directory has failed: whoever waits at its partitions is
  // told, and they are counted as offline.
  void DirectoryFailed();
  // Removes logs found on disk that `image` does not assign to this broker
  // (B-31). REQUIRES: `image` is complete, that is, not older than the
  // controllers' when this process registered, and has been applied.
  void RemoveStrays(const metadata::ImagePtr& image);
  // The clean stop: no more fetching, high watermarks written, every log
  // synced and closed, the directories marked clean with `broker_epoch`.
  // `done` runs on a thread of the store, and only posts.
  void Close(BrokerEpoch broker_epoch, std::function<void(Status)> done);

 private:
  struct Producing;
  // Each on its shard.
  void Append(std::shared_ptr<Producing> all);
  // Runs `work` on every shard, then `done` on the last one to finish.
  void OnEveryShard(std::function<void(ReplicaShard&, size_t)> work,
                    std::function<void()> done);
  void Every(Duration interval, std::function<void()> work);
  void SetThrottles(const metadata::Image& image);

  const std::vector<Executor*> executors_;
  const ReplicaManagerOptions options_;
  LogStore& logs_;
  std::map<std::string, std::vector<LeadershipListener*>> listeners_;
  std::unique_ptr<IsrUpdater> isr_updater_;
  Throttle to_followers_, from_leaders_;
  Stats own_stats_;
  std::vector<std::unique_ptr<Stats>> shard_stats_;
  std::vector<std::unique_ptr<ReplicaShard>> shards_;
  std::atomic<bool> closing_{false};
};

}  // namespace tidemark::replication
