#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "broker/replication/delete_path.h"
#include "broker/replication/effect_runner.h"
#include "broker/replication/follower_fetchers.h"
#include "broker/replication/housekeeping.h"
#include "broker/replication/partition_table.h"
#include "broker/replication/produce_path.h"
#include "broker/replication/read_path.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// A replica as whoever moves it sees it.
struct ReplicaState {
  WhichLog which_log;
  Uuid topic_id;
  std::string directory;
  log::LogConfig config;
  Offset start_offset = 0;
  Offset end_offset = 0;
  Offset high_watermark = 0;
  LeaderEpoch latest_epoch = -1;
  Offset latest_epoch_start = 0;
};

// The partitions of one shard and the parts that work on them. Everything
// runs on the shard's executor.
class ReplicaShard {
 public:
  ReplicaShard(Executor& executor, ShardOptions options,
               ShardServices services);
  ~ReplicaShard();

  Executor& executor() { return state_.executor; }
  ProducePath& produce() { return produce_; }
  DeletePath& deletions() { return deletions_; }
  ReadPath& read() { return read_; }
  Housekeeping& housekeeping() { return housekeeping_; }

  // The part of an image that concerns this shard's partitions; `mine` says
  // which they are.
  void ApplyImage(const metadata::ImagePtr& image, const metadata::Delta& delta,
                  const PartitionTable::Mine& mine);
  void Tick();
  // See PartitionEnv.
  void SetControllersSilent(bool silent) {
    state_.env.controllers_silent = silent;
  }
  void AlterPartitionAnswered(const Uuid& topic_id, PartitionIndex partition,
                              const AlterPartitionResult& result,
                              PartitionEpoch asked_with);
  // Nothing is served any more. `done` gets the logs of all partitions, when
  // the last is back that was with the store.
  void Close(std::function<void(PartitionTable::Logs)> done);

  // nullptr: not here.
  Partition* Find(const TopicPartition& partition);

  // Somebody has read, and found that what is on disk at `from` is not what was
  // written. Ignored when the partition has another log now.
  void FoundCorrupt(const TopicPartition& name, const WhichLog& which,
                    Offset from, const Error& error);
  std::vector<TopicPartition> Partitions() const;

  // For ReplicaMover. kNotLeaderOrFollower: it is not here;
  // kKafkaStorageError, kUnknownTopicOrPartition.
  Result<ReplicaState> StateOf(const TopicPartition& partition) const;
  // See Partition. It is let go after kLongestHold, unless whoever has held it
  // up says that he cannot go back: false: it is let go already.
  static constexpr Duration kLongestHold = std::chrono::seconds(5);
  bool KeepHeldUp(const TopicPartition& partition, const Uuid& topic_id);
  Status HoldUp(const TopicPartition& partition, const Uuid& topic_id);
  void LetGo(const TopicPartition& partition, const Uuid& topic_id);
  bool IsHeldUp(const TopicPartition& partition, const Uuid& topic_id) const;
  // REQUIRES: it is held up.
  std::unique_ptr<log::Log> Exchange(const TopicPartition& partition,
                                     std::unique_ptr<log::Log> log);

  // Of those that have a log here just now.
  std::vector<ReplicaSize> Sizes() const;

 private:
  class Target;
  struct Held {
    Uuid topic_id;
    Instant since{};
  };

  void EndHold(const TopicPartition& name, Instant since);

  ShardState state_;
  const std::unique_ptr<Target> target_;
  FollowerFetchers fetchers_;
  EffectRunner effects_;
  PartitionTable table_;
  ProducePath produce_;
  DeletePath deletions_;
  ReadPath read_;
  Housekeeping housekeeping_;
  std::map<TopicPartition, Held> holds_;  // that may still be let go
};

}  // namespace tidemark::replication
