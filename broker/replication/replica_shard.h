#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/replication/fetcher.h"
#include "broker/replication/log_store.h"
#include "broker/replication/partition.h"
#include "broker/replication/purgatory.h"
#include "broker/replication/replica_manager.h"
#include "common/base/executor.h"

namespace tidemark::replication {

// What a shard needs of its surroundings; all outlive it.
struct ShardOptions {
  NodeId self = kNoNode;
  Duration lag_max = std::chrono::seconds(30);
  std::string inter_broker_listener;
  // Values of the process's own file, for ResolveTopicConfig.
  std::map<std::string, std::string> static_configs;
  // producer.id.expiration.ms
  int64_t producer_expiration_ms = 24LL * 3600 * 1000;
  FetcherOptions fetcher;
};
struct ShardServices {
  LogStore* logs = nullptr;
  Stats* stats = nullptr;
  // Where ISR changes go. Any thread.
  std::function<void(IsrProposal)> propose_isr;
  // A connection to a broker, for the fetchers of this shard.
  TransportFactory connect;
  const std::map<std::string, std::vector<LeadershipListener*>>* listeners =
      nullptr;
};

// One partition of a fetch.
struct ReadItem {
  TopicPartition partition;
  Uuid topic_id;  // zero: asked by name
  LeaderEpoch current_leader_epoch = -1;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = -1;
  Offset flushed_offset = -1;
  int32_t max_bytes = 0;
};
struct Reader {
  NodeId replica = kNoNode;  // none: a consumer
  BrokerEpoch broker_epoch = -1;
  uint64_t id = 0;  // of its connection
  bool IsFollower() const { return replica >= 0; }
};

// The partitions of one shard. Everything runs on the shard's executor.
class ReplicaShard {
 public:
  ReplicaShard(Executor& executor, ShardOptions options,
               ShardServices services);
  ~ReplicaShard();

  Executor& executor() { return executor_; }

  // The part of an image that concerns this shard's partitions; `mine` says
  // which they are.
  void ApplyImage(const metadata::ImagePtr& image, const metadata::Delta& delta,
                  const std::function<bool(const TopicPartition&)>& mine);

  // `done` runs on this executor, with nothing of the shard on its stack but
  // this call's own frames, possibly before it returns.
  void Produce(ProduceItem item, int16_t acks, AppendOrigin origin,
               LeaderEpoch epoch, Instant deadline,
               std::function<void(ProduceOutcome, Offset last_offset)> done);

  // Reads in order within `budget` bytes. When `waiter` is given and less than
  // `min_bytes` were found and nothing failed, it is parked at all of them.
  std::vector<FetchAnswer> Read(const Reader& reader,
                                const std::vector<const ReadItem*>& items,
                                size_t budget, size_t min_bytes,
                                const std::shared_ptr<FetchWaiter>& waiter);

  Result<LogChunk> ReadLog(const TopicPartition& partition, LeaderEpoch epoch,
                           Offset from, size_t max_bytes);
  Result<log::TimestampedOffset> FindOffset(const TopicPartition& partition,
                                            int64_t timestamp,
                                            LeaderEpoch current_leader_epoch);
  Result<log::EpochEnd> EndOffsetFor(const TopicPartition& partition,
                                     LeaderEpoch epoch,
                                     LeaderEpoch current_leader_epoch);

  void AlterPartitionAnswered(const Uuid& topic_id, PartitionIndex partition,
                              const AlterPartitionResult& result,
                              PartitionEpoch asked_with);
  void Tick();            // ISR shrink
  void ApplyRetention();  // by time and size
  void CollectHighWatermarks(log::OffsetMap* into) const;
  // Recovery points and log starts to the checkpoint files, of the logs whose
  // numbers have changed.
  void WriteCheckpoints();
  // The logs of all partitions; after it nothing is served.
  std::vector<std::unique_ptr<log::Log>> Close();

  // nullptr: not here.
  Partition* Find(const TopicPartition& partition);

 private:
  struct Slot {
    template <class... Args>
    explicit Slot(Args&&... args) : partition(std::forward<Args>(args)...) {}
    Partition partition;
    ProduceQueue produces;
    FetchWatches watches;
    bool syncing = false;
    NodeId fetching_from = kNoNode;
    // What has been counted in the gauges.
    bool counted_leader = false;
    bool counted_under_replicated = false;
    bool counted_under_min_isr = false;
    bool counted_offline = false;
    // What the listeners know.
    LeaderEpoch announced_epoch = -1;
    bool announced_leader = false;
    // What the checkpoint files say.
    LogStore::Checkpoint checkpoint{-1, -1};
  };
  class Source;

  Slot* FindSlot(const TopicPartition& partition);
  void Apply(const TopicPartition& name, const metadata::TopicImage& topic,
             const metadata::PartitionImage& row);
  Slot* Open(const TopicPartition& name, const metadata::TopicImage& topic,
             const metadata::PartitionImage& row);
  void Remove(const TopicPartition& name);
  log::LogConfig LogConfigOf(const std::string& topic, int32_t* min_isr) const;
  ErrorCode WhyAbsent(const TopicPartition& partition,
                      const Uuid& topic_id) const;

  // Carries out what a call to the partition has brought about.
  void Settle(Slot& slot);
  void StartSync(Slot& slot);
  void SyncDone(const TopicPartition& name, const Uuid& topic_id,
                const log::SyncWork& work, const Status& status);
  void Complete(std::vector<ProduceQueue::Completed> completed);
  void Announce(Slot& slot, bool removed);
  void Count(Slot& slot, bool removed);
  void RouteFetcher(Slot& slot, bool epoch_changed);

  Executor& executor_;
  const ShardOptions options_;
  const ShardServices services_;
  PartitionEnv env_;
  DeadlineQueue deadlines_;
  std::unordered_map<TopicPartition, std::unique_ptr<Slot>> slots_;
  std::unique_ptr<Source> source_;
  std::map<NodeId, std::unique_ptr<Fetcher>> fetchers_;
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication
