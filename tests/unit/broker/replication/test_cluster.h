#pragma once

#include <glog/logging.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/replication/fetch_service.h"
#include "broker/replication/replica_manager_impl.h"
#include "common/metadata/apply.h"
#include "tests/unit/broker/replication/manual_executor.h"
#include "tests/unit/broker/replication/test_log.h"

namespace tidemark::replication {

inline const TopicPartition kT0{"t", 0};

// Logs on one simulated disk; a sync takes `sync_time` of the test's clock.
class TestLogStore final : public LogStore {
 public:
  TestLogStore(sim::SimDisk& disk, ManualExecutor& executor)
      : disk_(disk), executor_(executor) {}

  std::unique_ptr<log::Log> Take(const TopicPartition& partition,
                                 const Uuid& topic_id,
                                 const log::LogConfig& config) override {
    if (!found || !handed_out.insert(partition).second) return nullptr;
    return OpenTestLog(disk_, "/data", partition, topic_id, config, health);
  }
  void Open(const TopicPartition& partition, const Uuid& topic_id,
            const log::LogConfig& config, bool, int64_t, Opened done) override {
    Later([=, this, done = std::move(done)] {
      if (fail_open) return done(Fail(ErrorCode::kKafkaStorageError, "test"));
      CHECK(handed_out.insert(partition).second) << ToString(partition);
      done(OpenTestLog(disk_, "/data", partition, topic_id, config, health));
    });
  }
  void Do(std::unique_ptr<log::Log> log, Change change, Changed done) override {
    auto lent = std::make_shared<std::unique_ptr<log::Log>>(std::move(log));
    Later([this, lent, change, done] {
      ++changes;
      Status changed = fail_changes
                           ? Status(Fail(ErrorCode::kKafkaStorageError, "test"))
                           : change(**lent);
      done(std::move(*lent), std::move(changed));
    });
  }
  void Delete(std::unique_ptr<log::Log> log) override {
    auto deleted = std::make_shared<std::unique_ptr<log::Log>>(std::move(log));
    Later([this, deleted] {
      CHECK((*deleted)->Delete());
      CHECK(handed_out.erase((*deleted)->partition()) == 1);
    });
  }
  Offset HighWatermark(const TopicPartition& partition) override {
    const auto it = high_watermarks.find(partition);
    return it == high_watermarks.end() ? -1 : it->second;
  }
  void SetHighWatermarks(const log::OffsetMap& offsets) override {
    for (const auto& [name, offset] : offsets) high_watermarks[name] = offset;
    ++high_watermark_writes;
  }
  void KeepStart(const TopicPartition&,
                 std::function<void(Status)> done) override {
    Later([this, done] {
      ++starts_kept;
      done(Status());
    });
  }
  void Checkpoint() override {}
  void KeepLogs(bool keep) override { keeps_logs = keep; }
  void Sync(log::SyncWork work, std::function<void(Status)> done) override {
    ++syncs;
    if (on_sync) on_sync();
    if (hold_syncs) {
      held.push_back(
          [this, work, done] { done(log::PerformSync(disk_, work)); });
      return;
    }
    executor_.PostAfter(
        sync_time, [this, work, done] { done(log::PerformSync(disk_, work)); });
  }
  std::vector<std::pair<TopicPartition, Uuid>> Unopened() override {
    return strays;
  }
  void RemoveStray(const TopicPartition& partition, const Uuid&) override {
    removed.push_back(partition);
  }
  void ShutDown(std::vector<std::unique_ptr<log::Log>> logs, BrokerEpoch,
                std::function<void(Status)> done) override {
    shut_down = logs.size();
    Status closed;
    for (auto& log : logs) {
      if (Status one = log->Close(); !one) closed = one;
    }
    done(closed);
  }

  Duration sync_time = std::chrono::milliseconds(1);
  // What opening, cutting and removing a log takes.
  Duration work_time{};
  bool fail_open = false;
  bool found = false;  // as if a log had been there at start
  bool fail_changes = false;
  int changes = 0;
  int starts_kept = 0;
  std::set<TopicPartition> handed_out;
  size_t shut_down = 0;
  std::shared_ptr<log::DirectoryHealth> health;
  int high_watermark_writes = 0;
  bool hold_syncs = false;
  std::vector<std::function<void()>> held;
  int syncs = 0;
  std::function<void()> on_sync;
  log::OffsetMap high_watermarks;
  std::vector<std::pair<TopicPartition, Uuid>> strays;
  std::vector<TopicPartition> removed;
  bool keeps_logs = false;

 private:
  // In order: one thread does it all.
  void Later(std::function<void()> work) {
    executor_.PostAfter(work_time, std::move(work));
  }

  sim::SimDisk& disk_;
  ManualExecutor& executor_;
};

class TestCluster;

// A thread that may wait for a disk, on the test's clock.
class TestReader final : public Executor {
 public:
  explicit TestReader(ManualExecutor& on) : on_(on) {}
  void Post(Task task) override {
    PostAfter(std::chrono::microseconds(100), std::move(task));
  }
  void PostAfter(Duration delay, Task task) override {
    ++posted;
    if (held) {
      waiting.push_back(std::move(task));
      return;
    }
    on_.PostAfter(delay, [this, task = std::move(task)] { Run(task); });
  }
  Instant Now() const override { return on_.Now(); }
  int64_t WallMs() const override { return on_.WallMs(); }

  // Ends a hold.
  void Go() {
    held = false;
    for (Task& task : std::exchange(waiting, {})) Run(task);
  }

  bool held = false;
  bool running = false;
  int posted = 0;
  std::vector<Task> waiting;

 private:
  void Run(const Task& task) {
    running = true;
    task();
    running = false;
  }
  ManualExecutor& on_;
};

// Fetches over no network at all: straight into the other broker's service,
// `latency` each way.
class TestTransport final : public FetchTransport {
 public:
  TestTransport(TestCluster& cluster, NodeId from, NodeId to)
      : cluster_(cluster), from_(from), to_(to) {}
  ~TestTransport() override { Close(); }
  void Send(kafka::FetchRequest request, Done done) override;
  void Close() override;

 private:
  struct Calls {
    std::map<uint64_t, Done> waiting;
  };
  TestCluster& cluster_;
  const NodeId from_, to_;
  std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
  uint64_t next_ = 0;
};

struct TestBroker final : public ControllerClient {
  TestBroker(TestCluster& cluster, NodeId id, size_t batch_cache_bytes);

  BrokerEpoch broker_epoch() const override { return id; }
  void AlterPartition(
      controller::v1::AlterPartitionRequest request,
      Done<controller::v1::AlterPartitionResponse> done) override;
  void AssignReplicas(controller::v1::AssignReplicasRequest,
                      Done<controller::v1::AssignReplicasResponse>) override {}
  void AllocateProducerIds(
      Done<controller::v1::AllocateProducerIdsResponse>) override {}
  void CreateTopics(admin::v1::CreateTopicsRequest, Duration,
                    Done<admin::v1::CreateTopicsResponse>) override {}
  void DeleteTopics(admin::v1::DeleteTopicsRequest, Duration,
                    Done<admin::v1::DeleteTopicsResponse>) override {}
  void CreatePartitions(admin::v1::CreatePartitionsRequest, Duration,
                        Done<admin::v1::CreatePartitionsResponse>) override {}
  void AlterConfigs(admin::v1::AlterConfigsRequest, Duration,
                    Done<admin::v1::AlterConfigsResponse>) override {}
  void DescribeQuorum(admin::v1::DescribeQuorumRequest, Duration,
                      Done<admin::v1::DescribeQuorumResponse>) override {}
  void ChangeQuorum(admin::v1::ChangeQuorumRequest, Duration,
                    Done<admin::v1::ChangeQuorumResponse>) override {}
  void AlterScramCredentials(
      admin::v1::AlterScramCredentialsRequest, Duration,
      Done<admin::v1::AlterScramCredentialsResponse>) override {}
  void UpdateFeatures(admin::v1::UpdateFeaturesRequest, Duration,
                      Done<admin::v1::UpdateFeaturesResponse>) override {}
  void ElectLeaders(admin::v1::ElectLeadersRequest, Duration,
                    Done<admin::v1::ElectLeadersResponse>) override {}
  void CreateAcls(admin::v1::CreateAclsRequest, Duration,
                  Done<admin::v1::CreateAclsResponse>) override {}
  void DeleteAcls(admin::v1::DeleteAclsRequest, Duration,
                  Done<admin::v1::DeleteAclsResponse>) override {}
  void UnregisterBroker(admin::v1::UnregisterBrokerRequest, Duration,
                        Done<admin::v1::UnregisterBrokerResponse>) override {}
  void AlterPartitionReassignments(
      admin::v1::AlterPartitionReassignmentsRequest, Duration,
      Done<admin::v1::AlterPartitionReassignmentsResponse>) override {}
  void ListPartitionReassignments(
      admin::v1::ListPartitionReassignmentsRequest, Duration,
      Done<admin::v1::ListPartitionReassignmentsResponse>) override {}

  TestCluster& cluster;
  const NodeId id;
  sim::SimDisk disk{1};
  TestReader reader;
  int shard_waits = 0;  // for the disk
  TestLogStore logs;
  ImageHolder metadata;
  std::map<NodeId, PeerStanding> standings;  // of those fetched from
  std::unique_ptr<ReplicaManagerImpl> replicas;
  std::unique_ptr<FetchService> fetch;
  bool reachable = true;
};

// Brokers of one process on a clock that the test moves, and a controller that
// agrees to everything.
class TestCluster {
 public:
  // Without a cache everything is read from the disk.
  explicit TestCluster(int brokers, size_t batch_cache_bytes = 0) {
    for (NodeId id = 1; id <= brokers; ++id) {
      brokers_.push_back(
          std::make_unique<TestBroker>(*this, id, batch_cache_bytes));
    }
    std::vector<metadata::v1::Record> records;
    for (NodeId id = 1; id <= brokers; ++id) {
      metadata::v1::Record record;
      auto* broker = record.mutable_register_broker();
      broker->set_broker_id(id);
      broker->set_broker_epoch(id);
      broker->set_incarnation_id(TestUuid(static_cast<uint8_t>(id)).ToBytes());
      broker->set_fenced(false);
      auto* endpoint = broker->add_endpoints();
      endpoint->set_name("PLAINTEXT");
      endpoint->set_host("broker");
      endpoint->set_port(static_cast<uint32_t>(id));
      records.push_back(record);
    }
    Commit(records);
  }

  // As a broker: its executors stop before what runs on them is taken down.
  ~TestCluster() { executor.DropAll(); }

  TestBroker& broker(NodeId id) { return *brokers_[id - 1]; }
  const metadata::Image& image() const { return *image_; }

  // One batch of records, pushed to every broker.
  void Commit(const std::vector<metadata::v1::Record>& records) {
    metadata::v1::RecordBatch batch;
    for (const auto& record : records) *batch.add_records() = record;
    auto delta = std::make_shared<metadata::Delta>();
    auto next =
        metadata::ApplyBatch(image_, batch, image_->offset() + 1, delta.get());
    CHECK(next) << ToString(next.error());
    image_ = *next;
    for (auto& broker : brokers_) {
      if (!broker->reachable) continue;
      broker->metadata.Set(image_);
      broker->replicas->ApplyImage(image_, delta, executor, [] {});
    }
    executor.Drain();
  }

  Uuid CreateTopic(const std::string& name, int partitions,
                   std::vector<NodeId> replicas, NodeId leader,
                   std::vector<NodeId> isr) {
    const Uuid id = TestUuid(next_topic_++);
    std::vector<metadata::v1::Record> records(1);
    auto* topic = records[0].mutable_add_topic();
    topic->set_topic_id(id.ToBytes());
    topic->set_name(name);
    for (int i = 0; i < partitions; ++i) {
      metadata::v1::Record record;
      auto* partition = record.mutable_add_partition();
      partition->set_topic_id(id.ToBytes());
      partition->set_partition(i);
      partition->mutable_replicas()->Add(replicas.begin(), replicas.end());
      partition->mutable_isr()->Add(isr.begin(), isr.end());
      partition->set_leader(leader);
      records.push_back(record);
    }
    Commit(records);
    return id;
  }

  void Elect(const std::string& topic, PartitionIndex partition, NodeId leader,
             std::vector<NodeId> isr);
  // As the controller: it leaves the ISR, and a new epoch begins.
  void LogLost(const TopicPartition& name, NodeId replica);
  void ChangePartition(const std::string& topic, PartitionIndex partition,
                       std::vector<NodeId> isr, std::optional<NodeId> leader);

  ProduceOutcome Produce(NodeId at, const TopicPartition& partition,
                         const std::string& value, int16_t acks = -1,
                         Duration wait = std::chrono::seconds(60)) {
    std::optional<ProduceOutcome> outcome;
    StartProduce(at, partition, value, acks, &outcome);
    for (Duration waited{}; !outcome && waited < wait;
         waited += std::chrono::milliseconds(1)) {
      executor.RunFor(std::chrono::milliseconds(1));
    }
    CHECK(outcome);
    return *outcome;
  }
  void StartProduce(NodeId at, const TopicPartition& partition,
                    const std::string& value, int16_t acks,
                    std::optional<ProduceOutcome>* outcome) {
    broker(at).replicas->Produce(
        {{partition, SharedBytes(BatchOf(value))}}, acks,
        std::chrono::seconds(30), executor,
        [outcome](std::vector<ProduceOutcome> all) { *outcome = all.at(0); });
  }

  Partition* Replica(NodeId at, const TopicPartition& partition) {
    auto& replicas = *broker(at).replicas;
    return replicas.shard(replicas.ShardIndexOf(partition)).Find(partition);
  }

  ManualExecutor executor;
  Duration latency = std::chrono::microseconds(200);
  int alter_partitions = 0;
  int refuse_alters = 0;  // so many more AlterPartitions are refused
  int fail_alters = 0;    // so many more never arrive
  int largest_alter = 0;
  std::set<std::pair<NodeId, std::string>> connected_to;  // by whom, what host
  std::map<std::pair<NodeId, NodeId>, size_t> asked_partitions;
  // What followers have been sent, and what their sessions were asked for.
  std::map<std::pair<NodeId, NodeId>, size_t> bytes;
  std::map<std::pair<NodeId, NodeId>, int> closes;
  std::map<std::pair<NodeId, NodeId>, size_t> answered_partitions;
  std::map<std::pair<NodeId, NodeId>, int> fetches;
  // Answers with records that a connection would have written.
  int written = 0;
  std::set<std::pair<NodeId, NodeId>> cut;
  std::set<NodeId> deaf;  // never answer

 private:
  metadata::ImagePtr image_ = std::make_shared<const metadata::Image>();
  std::vector<std::unique_ptr<TestBroker>> brokers_;
  uint8_t next_topic_ = 100;
};

}  // namespace tidemark::replication
