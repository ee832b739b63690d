#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "broker/replication/fetcher.h"
#include "broker/replication/log_store.h"
#include "broker/replication/partition.h"
#include "broker/replication/purgatory.h"
#include "broker/replication/read_list.h"
#include "broker/replication/replica_manager.h"
#include "common/base/executor.h"

namespace tidemark::replication {

// What a shard needs of its surroundings; all outlive it.
struct ShardOptions {
  NodeId self = kNoNode;
  Duration lag_max = std::chrono::seconds(30);
  Duration session_timeout = std::chrono::seconds(2);
  std::string inter_broker_listener;
  // Values of the process's own file, for ResolveTopicConfig.
  std::map<std::string, std::string> static_configs;
  // producer.id.expiration.ms
  int64_t producer_expiration_ms = 24LL * 3600 * 1000;
  bool verifies_transactions =
      true;  // transaction.partition.verification.enable
  FetcherOptions fetcher;
  size_t batch_cache_bytes = 8 << 20;  // of this shard; 0: none
};
using TellDamage =
    std::function<void(const TopicPartition&, const Uuid& topic_id)>;

struct ShardServices {
  LogStore* logs = nullptr;
  Stats* stats = nullptr;
  // Where ISR changes go. Any thread.
  std::function<void(IsrProposal)> propose_isr;
  // The log of a replica that the metadata count in sync is damaged. Any
  // thread; may be empty.
  TellDamage tell_damage;
  // A connection to a broker, for the fetchers of this shard.
  TransportFactory connect;
  const std::map<std::string, std::vector<LeadershipListener*>>* listeners =
      nullptr;
  // What a fetcher of this shard sees of a leader. Any thread; may be empty.
  std::function<void(NodeId leader, PeerStanding)> tell_standing;
  // Of the whole broker; outlive the shards. Null: nothing is throttled.
  Throttle* to_followers = nullptr;
  Throttle* from_leaders = nullptr;
  // Threads that may wait for a disk to read; none: the shard waits itself.
  std::vector<Executor*> readers;
};

// A partition of a shard, who waits at it, and what others have been told of
// it.
struct Slot {
  template <class... Args>
  explicit Slot(Args&&... args) : partition(std::forward<Args>(args)...) {}

  Partition partition;
  OffsetWaiters produces;
  OffsetWaiters deletions;  // as of produces that are committed
  Readers readers;
  bool sync_wanted = false;
  bool syncing = false;
  bool keeping_start = false;
  NodeId fetching_from = kNoNode;
  // FollowerFetchers::LeadershipChanged
  std::vector<NodeId> watched;
  // What has been counted in the gauges.
  bool counted_leader = false;
  bool counted_under_replicated = false;
  bool counted_under_min_isr = false;
  bool counted_offline = false;
  // What the listeners know.
  LeaderEpoch announced_epoch = -1;
  bool announced_leader = false;
  Offset checkpointed_high_watermark = -1;
};

// What the sync threads have finished, for the next turn of the shard.
struct SyncedWork {
  TopicPartition partition;
  Uuid topic_id;
  uint64_t exchanges = 0;  // Partition
  log::SyncWork work;
  Status status;
};
struct SyncedWorks {
  std::mutex mutex;
  std::vector<SyncedWork> works;
};

// What the parts of a shard share. One thread, the shard's.
struct ShardState {
  ShardState(Executor& e, ShardOptions o, ShardServices s)
      : executor(e), options(std::move(o)), services(std::move(s)) {}

  Slot* Find(const TopicPartition& partition) const {
    const auto it = slots.find(partition);
    return it == slots.end() ? nullptr : it->second.get();
  }
  // Why Find has found nothing, or a partition of another topic id.
  ErrorCode WhyAbsent(const TopicPartition& partition,
                      const Uuid& topic_id) const;

  Executor& executor;
  const ShardOptions options;
  const ShardServices services;
  PartitionEnv env;
  std::unordered_map<TopicPartition, std::unique_ptr<Slot>> slots;
  // Assigned to this broker, but the log does not open.
  std::map<TopicPartition, Uuid> unopened;
  // Their logs are with the store, and no slot waits for them: nothing is begun
  // by these names before the logs are here.
  std::unordered_set<TopicPartition> away;
  // Takes the log of a partition that was removed while it was cut.
  std::function<void(const TopicPartition&, std::unique_ptr<log::Log>)>
      came_back;
  bool closed = false;
  std::shared_ptr<SyncedWorks> synced = std::make_shared<SyncedWorks>();
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication
