#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/metadata/controller_client.h"
#include "broker/replication/replica_manager.h"
#include "common/record/batch_header.h"

namespace tidemark::coordinator {

// Runs what is posted when told to, on a time that moves when told to.
class ManualExecutor final : public Executor {
 public:
  void Post(Task task) override { ready_.push_back(std::move(task)); }
  void PostAfter(Duration delay, Task task) override {
    later_.emplace(now_ + delay, std::move(task));
  }
  Instant Now() const override { return now_; }
  int64_t WallMs() const override {
    return 1'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(
                           now_.time_since_epoch())
                           .count();
  }

  void RunOne() {
    if (ready_.empty()) return;
    Task task = std::move(ready_.front());
    ready_.pop_front();
    task();
  }
  void RunReady() {
    while (!ready_.empty()) RunOne();
  }
  void Advance(Duration by) {
    const Instant end = now_ + by;
    RunReady();
    while (!later_.empty() && later_.begin()->first <= end) {
      now_ = std::max(now_, later_.begin()->first);
      Task task = std::move(later_.begin()->second);
      later_.erase(later_.begin());
      task();
      RunReady();
    }
    now_ = end;
  }

 private:
  Instant now_{};
  std::deque<Task> ready_;
  std::multimap<Instant, Task> later_;
};

// One partition's log in memory on one executor. A batch is committed when
// `commit` is called, or at once with `auto_commit`.
class FakeReplicas : public replication::ReplicaManager {
 public:
  explicit FakeReplicas(ManualExecutor& executor) : executor_(executor) {}

  bool auto_commit = true;
  std::optional<ErrorCode> refuse;  // appends fail with it, nothing is written
  LeaderEpoch epoch = 0;
  size_t refuse_larger_than = 0;  // kMessageTooLarge; 0: nothing is too large
  bool refuse_trims = false;
  int appends = 0;
  std::vector<log::TransactionContext> transactions;  // of the appends
  // Given out for questions; 0: transactions are open already.
  Result<uint64_t> guard = uint64_t{1};
  int refused = 0;
  int trims = 0;
  int commits = 0;  // appends that are
  std::vector<std::string> batches;
  size_t committed = 0;  // batches
  Offset start = 0;

  void Commit() {
    committed = batches.size();
    commits += static_cast<int>(waiting_.size());
    for (auto& done : std::exchange(waiting_, {}))
      executor_.Post([done = std::move(done.first), offset = done.second] {
        done(offset);
      });
  }
  // What is in the log stays there; nobody knows whether it is committed.
  void FailWaiting(ErrorCode error) {
    for (auto& done : std::exchange(waiting_, {}))
      executor_.Post(
          [done = std::move(done.first), error] { done(Fail(error)); });
  }
  // Nobody hears any more of what is not committed.
  void Abandon() { waiting_.clear(); }
  Offset EndOffset(size_t count) const {
    if (count == 0) return 0;
    return record::ParseBatchHeader(batches[count - 1])->NextOffset();
  }

  Executor& ShardOf(const TopicPartition&) override { return executor_; }
  void AppendCommitted(const TopicPartition&, LeaderEpoch in_epoch,
                       SharedBytes batch,
                       const log::TransactionContext& transaction, Duration,
                       Executor& on,
                       std::function<void(Result<Offset>)> done) override {
    ++appends;
    transactions.push_back(transaction);
    const bool too_large =
        refuse_larger_than > 0 && batch.size() > refuse_larger_than;
    if (refuse || too_large || in_epoch != epoch) {
      ++refused;
      const ErrorCode error =
          too_large ? ErrorCode::kMessageTooLarge
                    : refuse.value_or(ErrorCode::kNotLeaderOrFollower);
      on.Post([done = std::move(done), error] { done(Fail(error)); });
      return;
    }
    std::string bytes(batch.view());
    record::SetBaseOffset(bytes.data(), EndOffset(batches.size()));
    record::SetLeaderEpoch(bytes.data(), epoch);
    batches.push_back(std::move(bytes));
    waiting_.emplace_back(std::move(done), EndOffset(batches.size()) - 1);
    if (auto_commit) Commit();
  }
  void BeginVerification(const TopicPartition&, ProducerId, ProducerEpoch,
                         Executor& on,
                         std::function<void(Result<uint64_t>)> done) override {
    on.Post([this, done = std::move(done)] { done(guard); });
  }
  void ReadLog(
      const TopicPartition&, LeaderEpoch in_epoch, Offset from, size_t,
      Executor& on,
      std::function<void(Result<replication::LogChunk>)> done) override {
    if (in_epoch != epoch) {
      on.Post([done = std::move(done)] {
        done(Fail(ErrorCode::kNotLeaderOrFollower));
      });
      return;
    }
    // One batch at a time, so that loads take several reads.
    replication::LogChunk chunk;
    from = std::max(from, start);
    chunk.start_offset = start;
    chunk.end_offset = EndOffset(batches.size());
    chunk.high_watermark = EndOffset(committed);
    for (const std::string& batch : batches) {
      if (record::ParseBatchHeader(batch)->LastOffset() < from) continue;
      chunk.batches = SharedBytes(batch);
      break;
    }
    on.Post([done = std::move(done), chunk] { done(chunk); });
  }

  void TrimLog(const TopicPartition&, LeaderEpoch in_epoch, Offset before,
               Executor& on, std::function<void(Status)> done) override {
    ++trims;
    if (in_epoch != epoch || refuse_trims) {
      on.Post([done] { done(Fail(ErrorCode::kNotLeaderOrFollower)); });
      return;
    }
    EXPECT_LE(before, EndOffset(committed));
    start = std::max(start, before);
    on.Post([done] { done({}); });
  }

  void ApplyImage(metadata::ImagePtr, std::shared_ptr<const metadata::Delta>,
                  Executor&, std::function<void()>) override {}
  void Produce(
      std::vector<replication::ProduceItem>, int16_t, Duration, Executor&,
      std::function<void(std::vector<replication::ProduceOutcome>)>) override {}
  void AppendMarkers(std::vector<replication::MarkerItem>, Duration, Executor&,
                     std::function<void(std::vector<ErrorCode>)>) override {}
  void DescribeProducers(
      const TopicPartition&, Executor&,
      std::function<void(Result<std::vector<replication::ActiveProducer>>)>)
      override {}
  void DeleteRecords(const TopicPartition&, Offset, Duration, Executor&,
                     std::function<void(Result<Offset>)>) override {}
  void DescribeReplicas(
      Executor&,
      std::function<void(std::vector<replication::ReplicaSize>)>) override {}
  void Listen(const std::string&, replication::LeadershipListener*) override {}

 private:
  ManualExecutor& executor_;
  std::vector<std::pair<std::function<void(Result<Offset>)>, Offset>> waiting_;
};

// Remembers what topics were asked for.
class FakeController final : public ControllerClient {
 public:
  std::vector<admin::v1::CreateTopicsRequest> created;
  std::vector<Done<admin::v1::CreateTopicsResponse>> create_done;

  BrokerEpoch broker_epoch() const override { return 1; }
  void AlterPartition(controller::v1::AlterPartitionRequest,
                      Done<controller::v1::AlterPartitionResponse>) override {}
  void AssignReplicas(controller::v1::AssignReplicasRequest,
                      Done<controller::v1::AssignReplicasResponse>) override {}
  void AllocateProducerIds(
      Done<controller::v1::AllocateProducerIdsResponse>) override {}
  void CreateTopics(admin::v1::CreateTopicsRequest request, Duration,
                    Done<admin::v1::CreateTopicsResponse> done) override {
    created.push_back(std::move(request));
    create_done.push_back(std::move(done));
  }
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
};

}  // namespace tidemark::coordinator
