#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster/client.h"

namespace tidemark::sim {

struct TransactorOptions {
  int id = 0;
  std::vector<TopicPartition> partitions;
  // transaction.version: with 2, a marker's epoch is that of the next
  // transaction; below, one in between is skipped, as when a producer starts.
  int8_t version = 2;
};

// A producer of transactions and its coordinator, which never fails: it says
// which transaction holds which partitions, decides, and writes the markers.
// The producer gives up when a batch takes too long; then its transaction is
// aborted while batches of it are still on their way.
class Transactor {
 public:
  Transactor(ClientSide& side, TransactorOptions options);

  void Start();
  // Begins no more transactions.
  void Finish() { finishing_ = true; }
  // "" when nothing is left to do.
  std::string Describe() const;

 private:
  struct Batch {
    int64_t first = 0;  // number
    int count = 0;
    int32_t sequence = 0;
    SharedBytes bytes;
    bool in_flight = false;
  };
  struct Stream {
    TopicPartition partition;
    int64_t next = 0;   // number
    int64_t first = 0;  // of this transaction
    int32_t sequence = 0;
    std::deque<Batch> batches;  // not acknowledged
    Instant not_before{};
  };
  enum class State { kIdle, kWriting, kEnding };

  void Turn();
  void Begin();
  void Send(Stream& stream, Batch& batch);
  void Answered(Stream& stream, ProducerEpoch epoch, int64_t first,
                const replication::ProduceOutcome& outcome);
  void Failed(Stream& stream, ProducerEpoch epoch, int64_t first,
              ErrorCode error);
  void Decide(bool commit);
  void WriteMarkers();
  void WriteMarker(const TopicPartition& partition);
  void Marked(ProducerEpoch epoch, const TopicPartition& partition,
              ErrorCode error);
  // The coordinator's answer to a leader that asks.
  bool Holds(ProducerEpoch epoch, const TopicPartition& partition) const;
  // At the broker: appends, and asks in between where that is wanted.
  void Produce(BrokerProcess& process, SimExecutor& on,
               replication::ProduceItem item, ProducerEpoch epoch, int rounds,
               std::function<void(replication::ProduceOutcome)> done);
  Connection& LinkTo(NodeId broker);

  ClientSide& side_;
  const TransactorOptions options_;
  const NodeId self_;
  const ProducerId producer_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::map<NodeId, std::shared_ptr<Connection>> links_;

  State state_ = State::kIdle;
  ProducerEpoch epoch_ = 0;
  std::set<TopicPartition> holds_;
  Instant give_up_{};
  bool commit_ = false;
  std::set<TopicPartition> marking_;  // asked, not answered
  bool finishing_ = false;
};

}  // namespace tidemark::sim
