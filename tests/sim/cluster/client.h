#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/cluster/history.h"
#include "tests/sim/cluster/peer_link.h"
#include "tests/sim/cluster/transaction_history.h"

namespace tidemark::sim {

// What clients have in common: where they run, whom they reach, what they
// tell. Lives until the end.
struct ClientSide {
  Scheduler& scheduler;
  Network& network;
  Controllers& controllers;
  History& history;
  SimExecutor& executor;
  std::function<BrokerProcess*(NodeId)> peer;
  int brokers = 0;
  // Of whoever reads what is committed.
  TransactionHistory& transactions;
  bool stopping = false;  // nobody waits for anything any more

  // Who leads, as a client with metadata of whatever age knows.
  NodeId LeaderOf(const TopicPartition& partition);
  std::shared_ptr<Connection> Connect(NodeId self, NodeId broker);
};

struct ProducerOptions {
  int id = 0;
  bool idempotent = true;
  int16_t acks = -1;
  std::vector<TopicPartition> partitions;
  int records_per_second = 200;  // of all partitions
};

// Makes records for its partitions and sends them, up to five requests of
// several partitions at a time to each leader, until they are acknowledged;
// what an idempotent producer does about errors is what Kafka's does.
class Producer {
 public:
  Producer(ClientSide& side, ProducerOptions options);

  void Start();
  // Makes no more, but goes on to send what it has.
  void Finish() { finishing_ = true; }
  // Its records of this partition are lost: one whose batches have to follow
  // each other sends no more there.
  void Abandon(const TopicPartition& partition);
  // For who wonders why it is not.
  std::string Describe() const;

 private:
  struct Batch {
    int64_t first = 0;  // number
    int count = 0;
    int32_t sequence = 0;
    int attempt = 0;  // of one that may stand there more than once
    SharedBytes bytes;
    bool in_flight = false;
    bool sent = false;  // once or more
  };
  struct Stream {
    TopicPartition partition;
    int64_t next = 0;
    int32_t sequence = 0;
    std::deque<Batch> batches;  // not acknowledged, in order
    int in_flight = 0;
    NodeId broker = kNoNode;  // where they are
    bool abandoned = false;
    bool draining = false;    // after an error, until nothing is out
    bool one_by_one = false;  // and then until one is acknowledged
    Instant not_before{};
    ErrorCode last_error = ErrorCode::kNone;
  };
  using Sent = std::vector<std::pair<Stream*, int64_t>>;

  void Make();
  void SendAll();
  Batch* NextOf(Stream& stream);
  void SendTo(NodeId broker, Sent sent,
              std::vector<replication::ProduceItem> items);
  void Answered(const Sent& sent,
                const std::vector<replication::ProduceOutcome>& outcomes);
  void Answered(Stream& stream, int64_t first,
                const replication::ProduceOutcome& outcome);
  void Failed(const Sent& sent);
  void FailedOne(Stream& stream, Batch& batch, ErrorCode error);
  SharedBytes Build(const Batch& batch) const;

  ClientSide& side_;
  const ProducerOptions options_;
  const NodeId self_;
  std::vector<std::unique_ptr<Stream>> streams_;
  struct Link {
    std::shared_ptr<Connection> connection;
    int in_flight = 0;
  };
  std::map<NodeId, Link> links_;
  bool finishing_ = false;
};

// Reads its partitions from their leaders, from the beginning, and tells the
// history what it sees. Every now and then it asks for the latest offset.
class Consumer {
 public:
  // `again`: starts over now and then. `read_committed`: sees of transactions
  // what is committed, and its partitions have nothing else.
  Consumer(ClientSide& side, int id, std::vector<TopicPartition> partitions,
           bool again, bool read_committed = false);

  void Start();
  void Rewind(const TopicPartition& partition, Offset to) {
    Offset& position = positions_[partition];
    position = std::min(position, to);
  }
  Offset position(const TopicPartition& partition) const {
    return positions_.at(partition);
  }

 private:
  void Poll();
  void Fetch(NodeId broker, std::vector<TopicPartition> partitions);
  void Fetched(const kafka::FetchResponse& response);
  void Take(const TopicPartition& partition,
            const kafka::FetchResponse::PartitionData& data);
  void AskLatest(const TopicPartition& partition);
  void PollAfter(Duration delay);

  ClientSide& side_;
  const NodeId self_;
  const bool again_;
  const bool read_committed_;
  std::map<TopicPartition, Offset> positions_;
  std::map<NodeId, std::shared_ptr<Connection>> links_;
};

}  // namespace tidemark::sim
