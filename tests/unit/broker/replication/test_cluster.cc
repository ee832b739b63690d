#include "tests/unit/broker/replication/test_cluster.h"

#include <algorithm>

namespace tidemark::replication {

void TestTransport::Send(kafka::FetchRequest request, Done done) {
  const uint64_t id = next_++;
  calls_->waiting.emplace(id, std::move(done));
  auto finish = [calls = calls_, id](Result<kafka::FetchResponse> response) {
    const auto it = calls->waiting.find(id);
    if (it == calls->waiting.end()) return;
    Done waiting = std::move(it->second);
    calls->waiting.erase(it);
    waiting(std::move(response));
  };
  ++cluster_.fetches[{from_, to_}];
  for (const auto& topic : request.topics) {
    cluster_.asked_partitions[{from_, to_}] += topic.partitions.size();
  }
  TestBroker& peer = cluster_.broker(to_);
  if (cluster_.cut.contains({from_, to_}) || !peer.reachable) {
    const ErrorCode error = peer.reachable ? ErrorCode::kNetworkException
                                           : ErrorCode::kBrokerNotAvailable;
    cluster_.executor.PostAfter(cluster_.latency,
                                [finish, error] { finish(Fail(error)); });
    return;
  }
  if (cluster_.deaf.contains(to_)) return;
  FetchCall call;
  call.version = 16;
  call.listener = "PLAINTEXT";
  call.on = &cluster_.executor;
  const auto count = [this_cluster = &cluster_, link = std::pair(from_, to_)](
                         const kafka::FetchResponse& response) {
    for (const auto& topic : response.responses) {
      for (const auto& data : topic.partitions) {
        ++this_cluster->answered_partitions[link];
        if (!data.records) continue;
        this_cluster->bytes[link] += data.records->size();
        if (data.records->size() > 0) ++this_cluster->written;
      }
    }
  };
  auto* executor = &cluster_.executor;
  const Duration latency = cluster_.latency;
  executor->PostAfter(
      latency, [&peer, call, request, finish, executor, latency, count] {
        peer.fetch->Fetch(
            call, request,
            [finish, executor, latency, count](kafka::FetchResponse response) {
              // A connection writes in a turn of its own.
              executor->Post([count, response] { count(response); });
              executor->PostAfter(latency,
                                  [finish, response] { finish(response); });
            });
      });
}

void TestTransport::Close() {
  ++cluster_.closes[{from_, to_}];
  auto waiting = std::exchange(calls_->waiting, {});
  for (auto& [id, done] : waiting) {
    cluster_.executor.Post(
        [done = std::move(done)] { done(Fail(ErrorCode::kNetworkException)); });
  }
}

TestBroker::TestBroker(TestCluster& c, NodeId node, size_t batch_cache_bytes)
    : cluster(c), id(node), reader(c.executor), logs(disk, c.executor) {
  disk.OnWait([this](const std::string& path) {
    if (reader.running) return;
    ++shard_waits;
    LOG(WARNING) << "a shard waits for " << path;
  });
  ReplicaManagerOptions options;
  options.shard.self = id;
  options.shard.inter_broker_listener = "PLAINTEXT";
  options.shard.static_configs["min.insync.replicas"] = "2";
  options.shard.fetcher.self = id;
  options.shard.batch_cache_bytes = batch_cache_bytes;
  options.readers = {&reader};
  options.tell_standing = [this](size_t, NodeId peer, PeerStanding standing) {
    standings[peer] = standing;
  };
  options.tell_damage = [this](const TopicPartition& name, const Uuid&) {
    cluster.executor.PostAfter(std::chrono::milliseconds(1),
                               [this, name] { cluster.LogLost(name, id); });
  };
  replicas = std::make_unique<ReplicaManagerImpl>(
      std::vector<Executor*>{&c.executor, &c.executor}, options, logs, *this,
      [this](Executor&, const std::string& host, uint16_t port) {
        cluster.connected_to.emplace(id, host);
        return std::make_unique<TestTransport>(cluster, id,
                                               static_cast<NodeId>(port));
      });
  fetch = std::make_unique<FetchService>(*replicas, metadata,
                                         FetchService::Options());
  replicas->Start();
}

void TestBroker::AlterPartition(
    controller::v1::AlterPartitionRequest request,
    Done<controller::v1::AlterPartitionResponse> done) {
  cluster.executor.PostAfter(std::chrono::milliseconds(1), [this, request,
                                                            done] {
    ++cluster.alter_partitions;
    cluster.largest_alter =
        std::max(cluster.largest_alter, request.partitions_size());
    if (cluster.fail_alters > 0) {
      --cluster.fail_alters;
      return done(Fail(ErrorCode::kNetworkException));
    }
    const bool refuse = cluster.refuse_alters > 0;
    if (refuse) --cluster.refuse_alters;
    controller::v1::AlterPartitionResponse response;
    for (const auto& asked : request.partitions()) {
      const auto topic_id = *Uuid::FromBytes(asked.topic_id());
      const std::string topic = cluster.image().FindTopic(topic_id)->name;
      if (refuse) {
        auto* answer = response.add_partitions();
        answer->set_topic_id(asked.topic_id());
        answer->set_partition(asked.partition());
        answer->set_code(static_cast<int32_t>(ErrorCode::kIneligibleReplica));
        continue;
      }
      std::vector<NodeId> isr;
      for (const auto& member : asked.isr()) {
        isr.push_back(member.broker_id());
      }
      // As the controller: who leaves itself out does not lead any more.
      std::optional<NodeId> leader;
      if (std::find(isr.begin(), isr.end(), id) == isr.end()) {
        leader = isr.front();
      }
      cluster.ChangePartition(topic, asked.partition(), isr, leader);
      const auto* row = cluster.image().FindPartition(topic, asked.partition());
      auto* answer = response.add_partitions();
      answer->set_topic_id(asked.topic_id());
      answer->set_partition(asked.partition());
      answer->set_leader(row->leader);
      answer->set_leader_epoch(row->leader_epoch);
      answer->set_partition_epoch(row->partition_epoch);
      answer->mutable_isr()->Add(isr.begin(), isr.end());
    }
    done(response);
  });
}

void TestCluster::ChangePartition(const std::string& topic,
                                  PartitionIndex partition,
                                  std::vector<NodeId> isr,
                                  std::optional<NodeId> leader) {
  metadata::v1::Record record;
  auto* change = record.mutable_change_partition();
  change->set_topic_id(image_->FindTopic(topic)->id.ToBytes());
  change->set_partition(partition);
  change->mutable_isr()->Add(isr.begin(), isr.end());
  if (leader) {
    change->set_leader(*leader);
    change->set_leader_epoch(
        image_->FindPartition(topic, partition)->leader_epoch + 1);
  }
  Commit({record});
}

void TestCluster::LogLost(const TopicPartition& name, NodeId replica) {
  const auto* row = image_->FindPartition(name.topic, name.partition);
  std::vector<NodeId> isr = row->isr;
  if (isr.size() < 2 || std::erase(isr, replica) == 0) return;
  const NodeId leader = row->leader == replica ? isr.front() : row->leader;
  ChangePartition(name.topic, name.partition, isr, leader);
}

void TestCluster::Elect(const std::string& topic, PartitionIndex partition,
                        NodeId leader, std::vector<NodeId> isr) {
  ChangePartition(topic, partition, std::move(isr), leader);
}

}  // namespace tidemark::replication
