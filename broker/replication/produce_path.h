#pragma once

#include <functional>

#include "broker/replication/effect_runner.h"
#include "broker/replication/refused_batches.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// One batch on its way into a partition of this shard.
struct ProduceCall {
  ProduceItem item;
  int16_t acks = -1;
  AppendOrigin origin = AppendOrigin::kClient;
  LeaderEpoch epoch = -1;  // the one that must lead; -1: any
  Instant deadline;
};

// What changes the logs of partitions that are led here. Appends, and waits for
// what `acks` asks for (B-24); trims.
class ProducePath {
 public:
  ProducePath(ShardState& state, EffectRunner& effects)
      : state_(state), effects_(effects) {}

  // `done` runs on the shard, when no partition is on its stack, possibly
  // before the call returns.
  using Done = std::function<void(ProduceOutcome, Offset last_offset)>;
  void Produce(ProduceCall call, Done done);

  // ReplicaManager::BeginVerification.
  Result<uint64_t> BeginVerification(const TopicPartition& name,
                                     ProducerId producer, ProducerEpoch epoch);

  // ReplicaManager::TrimLog.
  Status Trim(const TopicPartition& name, LeaderEpoch epoch, Offset before);

 private:
  // The answer to a call of which nothing was appended.
  ProduceOutcome Refuse(const ProduceCall& call, Error error);
  ProduceOutcome Refused(const TopicPartition& name, ErrorCode error,
                         std::string message) const;

  std::optional<ErrorCode> WhyBefore(const ProduceCall& call,
                                     const Partition& partition);
  // RefusedBatches::Excuse with the partition's leader epoch.
  std::optional<ErrorCode> Excuse(const TopicPartition& name,
                                  const record::BatchHeader& batch);
  bool IsNew(const Partition& partition) const;

  ShardState& state_;
  EffectRunner& effects_;
  RefusedBatches refused_;
};

}  // namespace tidemark::replication
