#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/replication/fetch_loop.h"
#include "broker/replication/partition.h"
#include "broker/replication/peer_watch.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

// A connection to a broker that speaks Fetch. Answers come in order; after an
// error or Close every call that is still out fails with kNetworkException, or
// kBrokerNotAvailable when nobody listens there, and the next Send connects
// anew. On one executor; callbacks never run inside Send or Close.
class FetchTransport {
 public:
  using Done = std::function<void(Result<kafka::FetchResponse>)>;
  virtual ~FetchTransport() = default;
  virtual void Send(kafka::FetchRequest request, Done done) = 0;
  virtual void Close() = 0;
};
using TransportFactory = std::function<std::unique_ptr<FetchTransport>(
    Executor& executor, const std::string& host, uint16_t port)>;

// The partitions a fetcher fetches for, owned by the shard.
class FetchTarget {
 public:
  virtual ~FetchTarget() = default;
  // nullptr: gone.
  virtual Partition* Find(const TopicPartition& name) = 0;
  // After calls that changed `partition`.
  virtual void Changed(Partition& partition) = 0;
  virtual BrokerEpoch broker_epoch() const = 0;
  virtual void Standing(NodeId leader, PeerStanding standing) = 0;
};

// Carries out what a FetchLoop says over two connections to the leader, and
// applies the answers to the partitions of one shard.
//
// On the shard's executor. Idle: one fetch per max_wait_ms.
class Fetcher {
 public:
  Fetcher(Executor& executor, const FetcherOptions& options, NodeId leader,
          std::string host, uint16_t port, const TransportFactory& connect,
          FetchTarget& target);
  ~Fetcher();

  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }

  // See FetchLoop.
  void Add(const TopicPartition& name, const Uuid& topic_id);
  void Remove(const TopicPartition& name);
  void Flushed(const TopicPartition& name);
  void Resume(const TopicPartition& name, bool moved);
  bool empty() const { return loop_.empty(); }

 private:
  void Kick();
  void Run();
  void WakeAt(Instant when);
  void FetchDone(uint64_t round, const Result<kafka::FetchResponse>& response);
  void ReportDone(const Result<kafka::FetchResponse>& response);
  void Handle(const FetchLoop::Arrival& arrival);
  Status Apply(Partition& partition, const FetchLoop::Arrival& arrival);
  std::optional<FetchPositionOfFollower> PositionOf(const TopicPartition& name);

  Executor& executor_;
  const NodeId leader_;
  const std::string host_;
  const uint16_t port_;
  FetchTarget& target_;
  FetchLoop loop_;
  std::unique_ptr<FetchTransport> main_;
  std::unique_ptr<FetchTransport> reports_;
  PeerWatcher watcher_;
  bool kicked_ = false;
  std::optional<Instant> armed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication
