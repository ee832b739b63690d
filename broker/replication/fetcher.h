#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "broker/replication/partition.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

struct FetcherOptions {
  NodeId self = kNoNode;
  int32_t max_wait_ms = 500;              // replica.fetch.wait.max.ms
  int32_t min_bytes = 1;                  // replica.fetch.min.bytes
  int32_t max_bytes = 10 << 20;           // replica.fetch.response.max.bytes
  int32_t partition_max_bytes = 1 << 20;  // replica.fetch.max.bytes
  // Of one partition the leader refused: doubles up to the maximum.
  Duration error_backoff_min = std::chrono::milliseconds(20);
  Duration error_backoff_max = std::chrono::milliseconds(500);
  Duration reconnect_min = std::chrono::milliseconds(50);
  Duration reconnect_max = std::chrono::seconds(1);
};

// A connection to a broker that speaks Fetch. Answers come in order; after an
// error or Close every call that is still out fails with kNetworkException,
// and the next Send connects anew. On one executor; callbacks never run inside
// Send or Close.
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
};

// Fetches from one leader for the followers of one shard: Kafka's Fetch with an
// incremental session (KIP-227), so that a round costs what has changed.
//
// Two connections. On the main one there is always one fetch out, parked at
// the leader when there is nothing new; it is sent as soon as the previous
// answer has been appended, not waiting for the disk. When the disk is done
// the leader must hear of it at once, or it could not advance the high
// watermark until the parked fetch ends; a connection's answers come in order,
// so a report behind a parked fetch would wait too. Reports therefore have a
// small connection of their own: a fetch without session that asks for no
// bytes and does not wait. One report is out at a time and carries every
// partition flushed meanwhile, so under load there is about one report per
// sync round.
//
// A partition that joins (or has a new epoch) while the main fetch is parked
// would have to wait for it, too; then the main connection is reset and starts
// a new session, since a leader elected in a failover commits nothing before
// its followers have fetched (B-22).
//
// On the shard's executor. Idle: one fetch per max_wait_ms.
class Fetcher {
 public:
  Fetcher(Executor& executor, FetcherOptions options, NodeId leader,
          std::string host, uint16_t port, const TransportFactory& connect,
          FetchTarget& target);
  ~Fetcher();

  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }

  // The partition follows this leader from now on, in the epoch it has.
  void Add(const TopicPartition& name, const Uuid& topic_id);
  void Remove(const TopicPartition& name);
  bool empty() const { return partitions_.empty(); }
  // The follower's disk has caught up with what was appended.
  void Flushed(const TopicPartition& name);

 private:
  struct State {
    Uuid topic_id;
    bool in_session = false;  // the leader's session knows it
    bool delayed = false;     // backing off after an error
    Duration backoff{};
    uint64_t generation = 0;  // of Add, for delays
    // What the fetch that is out asks for it.
    AskedWith asked;
  };

  void
  Kick();  // on the next turn, so that changes made in one turn go together
  void SendFetch();
  void SendReport();
  bool AddToRequest(const TopicPartition& name, State& state, bool report,
                    kafka::FetchRequest* request);
  kafka::FetchRequest NewRequest() const;
  void FetchDone(uint64_t round, Result<kafka::FetchResponse> response);
  void ReportDone(Result<kafka::FetchResponse> response);
  void Handle(const TopicPartition& name, AskedWith asked,
              const kafka::FetchResponse::PartitionData& data);
  void Delay(const TopicPartition& name);
  void Interrupt();
  void ResetSession();
  void Backoff();

  Executor& executor_;
  const FetcherOptions options_;
  const NodeId leader_;
  const std::string host_;
  const uint16_t port_;
  FetchTarget& target_;
  std::unique_ptr<FetchTransport> main_;
  std::unique_ptr<FetchTransport> reports_;

  std::map<TopicPartition, State> partitions_;
  uint64_t next_generation_ = 1;
  std::map<Uuid, std::string> topic_names_;  // for answers
  std::set<TopicPartition> dirty_;
  std::map<TopicPartition, Uuid> forgotten_;  // to tell the session
  int32_t session_id_ = 0;
  int32_t session_epoch_ = 0;

  bool fetch_out_ = false;
  uint64_t round_ = 0;  // of the fetch that is out
  bool kicked_ = false;
  bool backing_off_ = false;
  Duration backoff_;
  Instant last_interrupt_{};
  bool interrupt_armed_ = false;

  bool report_out_ = false;
  bool report_backing_off_ = false;
  std::set<TopicPartition> to_report_;
  std::map<TopicPartition, AskedWith> reported_;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication
