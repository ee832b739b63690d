#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/transaction.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/metadata/image.h"

namespace tidemark::replication {

using log::ActiveProducer;

// One batch for one partition, and what became of it.
struct ProduceItem {
  TopicPartition partition;
  SharedBytes batch;
  // The guard of ProduceOutcome::verify, once its coordinator has said that the
  // transaction holds the partition.
  uint64_t verified = 0;
  // transaction.version of its producer, or of the coordinator of a marker.
  int8_t transaction_version = 0;
};
struct ProduceOutcome {
  ErrorCode error = ErrorCode::kNone;
  std::string message;  // of an error, for record errors and logs
  Offset base_offset = -1;
  int64_t log_append_time_ms = -1;
  Offset log_start_offset = -1;
  // KIP-951, with kNotLeaderOrFollower: who leads, as far as known.
  NodeId leader = kNoNode;
  LeaderEpoch leader_epoch = -1;
  // Not 0: nothing was appended. The batch begins a transaction here, whose
  // coordinator is to be asked whether it holds the partition; then the batch
  // is to come again with this guard. `error` is kNotEnoughReplicas, for
  // whoever does not ask. What was said in answer to a guard counts for no
  // other: when there is another one, it is to be asked again.
  uint64_t verify = 0;
};

// The end of a transaction at one partition (KIP-98).
struct MarkerItem {
  TopicPartition partition;
  ProducerId producer_id = -1;
  ProducerEpoch producer_epoch = -1;
  bool commit = false;
  int32_t coordinator_epoch = -1;
  // transaction.version: from 2 on `producer_epoch` is one above that of the
  // transaction.
  int8_t transaction_version = 0;
};

// A part of a log, as the coordinators read it to load their state.
struct LogChunk {
  SharedBytes batches;  // whole batches, empty at the end
  Offset start_offset = 0;
  Offset end_offset = 0;  // log end
  Offset high_watermark = 0;
};

// What a replica takes of a disk.
struct ReplicaSize {
  TopicPartition partition;
  std::string directory;  // the log directory its log is in
  int64_t bytes = 0;      // of its segments
  Offset lag = 0;         // how far its end is behind the high watermark
  Offset end = 0;
};

// Told on the shard that owns the partition, in order, for every partition of
// the topic it was registered for.
class LeadershipListener {
 public:
  virtual ~LeadershipListener() = default;
  // This broker leads `partition` in `epoch` (again for a newer epoch).
  virtual void OnLeader(const TopicPartition& partition, LeaderEpoch epoch) = 0;
  // It does not (any more).
  virtual void OnNotLeader(const TopicPartition& partition,
                           LeaderEpoch epoch) = 0;
};

// All partitions this broker holds, spread over its shards. The methods may be
// called on any thread; callbacks run on the executor given with the call.
class ReplicaManager {
 public:
  virtual ~ReplicaManager() = default;

  // The executor that owns a partition. Coordinators keep the state of a
  // __consumer_offsets partition on it.
  virtual Executor& ShardOf(const TopicPartition& partition) = 0;

  // Applies a newer image: creates, deletes and re-roles local partitions.
  // In order; `done` when every shard has followed.
  virtual void ApplyImage(metadata::ImagePtr image,
                          std::shared_ptr<const metadata::Delta> delta,
                          Executor& on, std::function<void()> done) = 0;

  // B-24, KIP-890. `done` gets outcomes in the order of `items`. acks: -1, 0,
  // 1.
  virtual void Produce(
      std::vector<ProduceItem> items, int16_t acks, Duration timeout,
      Executor& on, std::function<void(std::vector<ProduceOutcome>)> done) = 0;

  // The broker's own batch (coordinators), which may be in a transaction or
  // end one. Runs `done` when it is committed (high watermark passed), with its
  // last offset. kNotLeaderOrFollower when `epoch` is not the epoch this broker
  // leads the partition in; kInvalidTxnState when it begins a transaction and
  // its guard does not count (any more).
  virtual void AppendCommitted(const TopicPartition& partition,
                               LeaderEpoch epoch, SharedBytes batch,
                               const log::TransactionContext& transaction,
                               Duration timeout, Executor& on,
                               std::function<void(Result<Offset>)> done) = 0;

  // For AppendCommitted in a transaction: the guard with which to come back
  // once the coordinator of the producer has said that its transaction holds
  // the partition. 0: it is open there. kInvalidProducerEpoch: a later one
  // has been at work there; kNotLeaderOrFollower, kUnknownTopicOrPartition,
  // kKafkaStorageError.
  virtual void BeginVerification(
      const TopicPartition& partition, ProducerId producer, ProducerEpoch epoch,
      Executor& on, std::function<void(Result<uint64_t>)> done) = 0;

  // Ends transactions at partitions that are led here. `done` gets, in the
  // order of `items`, kNone for those whose markers are committed;
  // kNotLeaderOrFollower, kUnknownTopicOrPartition, kNotEnoughReplicas,
  // kNotEnoughReplicasAfterAppend, kRequestTimedOut, kKafkaStorageError: to be
  // sent again; kInvalidProducerEpoch: a later epoch has been at work there
  // since; kTransactionCoordinatorFenced: so has a later coordinator.
  virtual void AppendMarkers(
      std::vector<MarkerItem> items, Duration timeout, Executor& on,
      std::function<void(std::vector<ErrorCode>)> done) = 0;

  // Those of a partition that is led here. kNotLeaderOrFollower,
  // kUnknownTopicOrPartition, kKafkaStorageError.
  virtual void DescribeProducers(
      const TopicPartition& partition, Executor& on,
      std::function<void(Result<std::vector<ActiveProducer>>)> done) = 0;

  // Reads the whole log of a led partition, committed or not; `from` below
  // the start offset reads from the start. kCorruptMessage: what lies there is
  // not what was written, and somebody else is going to lead.
  virtual void ReadLog(const TopicPartition& partition, LeaderEpoch epoch,
                       Offset from, size_t max_bytes, Executor& on,
                       std::function<void(Result<LogChunk>)> done) = 0;

  // Nothing in front of `before` of a led partition is needed any more: its log
  // starts there, or further on, here at once and at the followers with what
  // they fetch next. kNotLeaderOrFollower as above; kOffsetOutOfRange beyond
  // the high watermark.
  virtual void TrimLog(const TopicPartition& partition, LeaderEpoch epoch,
                       Offset before, Executor& on,
                       std::function<void(Status)> done) = 0;

  // An administrator's deletion (KIP-107): the log of a led partition starts at
  // `before` from now on, -1: at the high watermark. `done` gets the lowest
  // start of all replicas whose brokers are alive once that is not in front of
  // `before` any more and this broker's is on disk. kRequestTimedOut: it is not
  // yet; kOffsetOutOfRange: beyond the high watermark; kNotLeaderOrFollower,
  // kUnknownTopicOrPartition, kKafkaStorageError.
  virtual void DeleteRecords(const TopicPartition& partition, Offset before,
                             Duration timeout, Executor& on,
                             std::function<void(Result<Offset>)> done) = 0;

  // The replicas of this broker that have a log.
  virtual void DescribeReplicas(
      Executor& on, std::function<void(std::vector<ReplicaSize>)> done) = 0;

  // Before the first ApplyImage. `listener` outlives the manager.
  virtual void Listen(const std::string& topic,
                      LeadershipListener* listener) = 0;
};

}  // namespace tidemark::replication
