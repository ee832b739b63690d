#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/kafka/client_telemetry.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/producer_id_allocator.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_client.h"
#include "broker/metadata/image_holder.h"
#include "common/base/executor.h"
#include "common/metadata/apply.h"

namespace tidemark::server {

// Runs what is posted when told, on a clock that jumps to the next timer.
class ManualExecutor final : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back({now_, std::move(task)}); }
  void PostAfter(Duration delay, Task task) override {
    tasks_.push_back({now_ + delay, std::move(task)});
  }
  Instant Now() const override { return now_; }
  int64_t WallMs() const override { return 0; }

  void RunAll() {
    for (int i = 0; i < 100000 && !tasks_.empty(); ++i) {
      auto next = tasks_.begin();
      for (auto it = tasks_.begin(); it != tasks_.end(); ++it) {
        if (it->first < next->first) next = it;
      }
      now_ = std::max(now_, next->first);
      Task task = std::move(next->second);
      tasks_.erase(next);
      task();
    }
  }
  // What is due by then, and no more.
  void Advance(Duration by) {
    const Instant to = now_ + by;
    while (true) {
      const auto next = std::ranges::min_element(
          tasks_, {}, [](const auto& entry) { return entry.first; });
      if (next == tasks_.end() || next->first > to) break;
      now_ = std::max(now_, next->first);
      Task task = std::move(next->second);
      tasks_.erase(next);
      task();
    }
    now_ = to;
  }

 private:
  Instant now_{};
  std::deque<std::pair<Instant, Task>> tasks_;
};

// Answers at once by `on_...`; records what was asked.
class FakeController final : public ControllerClient {
 public:
  BrokerEpoch broker_epoch() const override { return 7; }
  void AlterPartition(
      controller::v1::AlterPartitionRequest,
      Done<controller::v1::AlterPartitionResponse> done) override {
    done(Fail(ErrorCode::kRequestTimedOut));
  }
  void AssignReplicas(
      controller::v1::AssignReplicasRequest request,
      Done<controller::v1::AssignReplicasResponse> done) override {
    assigned.push_back(std::move(request));
    if (refuse_assignments-- > 0) {
      return done(Fail(ErrorCode::kRequestTimedOut));
    }
    done(controller::v1::AssignReplicasResponse());
  }
  void AllocateProducerIds(
      Done<controller::v1::AllocateProducerIdsResponse> done) override {
    ++blocks;
    controller::v1::AllocateProducerIdsResponse response;
    response.set_first(blocks * 1000);
    response.set_count(block_size);
    if (block_size < 0) return done(Fail(ErrorCode::kRequestTimedOut));
    done(response);
  }
  void CreateTopics(admin::v1::CreateTopicsRequest request, Duration,
                    Done<admin::v1::CreateTopicsResponse> done) override {
    created.push_back(request);
    done(on_create ? on_create(request) : Fail(ErrorCode::kRequestTimedOut));
  }
  void DeleteTopics(admin::v1::DeleteTopicsRequest request, Duration,
                    Done<admin::v1::DeleteTopicsResponse> done) override {
    done(on_delete ? on_delete(request) : Fail(ErrorCode::kRequestTimedOut));
  }
  void CreatePartitions(
      admin::v1::CreatePartitionsRequest, Duration,
      Done<admin::v1::CreatePartitionsResponse> done) override {
    done(Fail(ErrorCode::kRequestTimedOut));
  }
  void AlterConfigs(admin::v1::AlterConfigsRequest request, Duration,
                    Done<admin::v1::AlterConfigsResponse> done) override {
    altered.push_back(request);
    admin::v1::AlterConfigsResponse response;
    for (const auto& resource : request.resources()) {
      *response.add_resources()->mutable_resource() = resource.resource();
    }
    done(response);
  }

  void DescribeQuorum(admin::v1::DescribeQuorumRequest, Duration,
                      Done<admin::v1::DescribeQuorumResponse> done) override {
    done(quorum ? Result<admin::v1::DescribeQuorumResponse>(*quorum)
                : Fail(ErrorCode::kRequestTimedOut));
  }
  void ChangeQuorum(admin::v1::ChangeQuorumRequest request, Duration,
                    Done<admin::v1::ChangeQuorumResponse> done) override {
    changes.push_back(std::move(request));
    done(admin::v1::ChangeQuorumResponse());
  }

  void UpdateFeatures(admin::v1::UpdateFeaturesRequest request, Duration,
                      Done<admin::v1::UpdateFeaturesResponse> done) override {
    admin::v1::UpdateFeaturesResponse response;
    for (const auto& update : request.updates()) {
      auto* result = response.add_results();
      result->set_name(update.name());
      result->set_code(static_cast<int32_t>(feature_failure));
      if (feature_failure != ErrorCode::kNone) result->set_message("no");
    }
    updates.push_back(std::move(request));
    done(response);
  }

  void AlterScramCredentials(
      admin::v1::AlterScramCredentialsRequest request, Duration,
      Done<admin::v1::AlterScramCredentialsResponse> done) override {
    credentials.push_back(request);
    done(on_credentials ? on_credentials(request)
                        : Fail(ErrorCode::kRequestTimedOut));
  }
  std::function<Result<admin::v1::AlterScramCredentialsResponse>(
      const admin::v1::AlterScramCredentialsRequest&)>
      on_credentials;
  std::vector<admin::v1::AlterScramCredentialsRequest> credentials;

  void ElectLeaders(admin::v1::ElectLeadersRequest request, Duration,
                    Done<admin::v1::ElectLeadersResponse> done) override {
    elections.push_back(std::move(request));
    done(elected);
  }
  void UnregisterBroker(
      admin::v1::UnregisterBrokerRequest request, Duration,
      Done<admin::v1::UnregisterBrokerResponse> done) override {
    unregistered.push_back(request.broker_id());
    done(unregister_failure.code == ErrorCode::kNone
             ? Result<admin::v1::UnregisterBrokerResponse>(
                   admin::v1::UnregisterBrokerResponse())
             : Fail(unregister_failure));
  }

  void CreateAcls(admin::v1::CreateAclsRequest request, Duration,
                  Done<admin::v1::CreateAclsResponse> done) override {
    done(on_create_acls ? on_create_acls(request)
                        : Fail(ErrorCode::kRequestTimedOut));
  }
  void DeleteAcls(admin::v1::DeleteAclsRequest request, Duration,
                  Done<admin::v1::DeleteAclsResponse> done) override {
    done(on_delete_acls ? on_delete_acls(request)
                        : Fail(ErrorCode::kRequestTimedOut));
  }
  std::function<Result<admin::v1::CreateAclsResponse>(
      const admin::v1::CreateAclsRequest&)>
      on_create_acls;
  std::function<Result<admin::v1::DeleteAclsResponse>(
      const admin::v1::DeleteAclsRequest&)>
      on_delete_acls;

  std::vector<admin::v1::ElectLeadersRequest> elections;
  Result<admin::v1::ElectLeadersResponse> elected =
      admin::v1::ElectLeadersResponse();
  std::vector<int> unregistered;
  Error unregister_failure{ErrorCode::kNone, ""};
  void AlterPartitionReassignments(
      admin::v1::AlterPartitionReassignmentsRequest request, Duration,
      Done<admin::v1::AlterPartitionReassignmentsResponse> done) override {
    done(on_move ? on_move(request) : Fail(ErrorCode::kRequestTimedOut));
    moves.push_back(std::move(request));
  }
  void ListPartitionReassignments(
      admin::v1::ListPartitionReassignmentsRequest request, Duration,
      Done<admin::v1::ListPartitionReassignmentsResponse> done) override {
    asked_moves.push_back(std::move(request));
    done(moving ? Result<admin::v1::ListPartitionReassignmentsResponse>(*moving)
                : Fail(ErrorCode::kRequestTimedOut));
  }

  std::function<Result<admin::v1::AlterPartitionReassignmentsResponse>(
      const admin::v1::AlterPartitionReassignmentsRequest&)>
      on_move;
  std::vector<admin::v1::AlterPartitionReassignmentsRequest> moves;
  std::optional<admin::v1::ListPartitionReassignmentsResponse> moving;
  std::vector<admin::v1::ListPartitionReassignmentsRequest> asked_moves;

  ErrorCode feature_failure = ErrorCode::kNone;
  std::vector<admin::v1::UpdateFeaturesRequest> updates;
  std::optional<admin::v1::DescribeQuorumResponse> quorum;
  std::vector<admin::v1::ChangeQuorumRequest> changes;
  int refuse_assignments = 0;
  std::vector<controller::v1::AssignReplicasRequest> assigned;
  int block_size = 1000;
  int blocks = 0;
  std::vector<admin::v1::CreateTopicsRequest> created;
  std::vector<admin::v1::AlterConfigsRequest> altered;
  std::function<Result<admin::v1::CreateTopicsResponse>(
      const admin::v1::CreateTopicsRequest&)>
      on_create;
  std::function<Result<admin::v1::DeleteTopicsResponse>(
      const admin::v1::DeleteTopicsRequest&)>
      on_delete;
};

inline BrokerConfig TestConfig(std::vector<std::string> overrides = {}) {
  Config::Sources sources;
  sources.overrides = {"node.id=1", "controller.quorum.voters=1@localhost:9093",
                       "listeners=PLAINTEXT://127.0.0.1:0"};
  sources.overrides.insert(sources.overrides.end(), overrides.begin(),
                           overrides.end());
  return BrokerConfig::Parse(*Config::Load(BrokerConfigKeys(), sources))
      .value();
}

// Three brokers (3 is fenced, 2 has a rack), topics built up by the tests.
class TestCluster {
 public:
  explicit TestCluster(std::vector<std::string> overrides = {})
      : config(TestConfig(std::move(overrides))), producer_ids(controller) {
    services.cluster_id = "MkU3OEVBNTcwNTJENDM2Qg";
    services.config = &config;
    services.metadata = &metadata;
    services.controller = &controller;
    services.producer_ids = &producer_ids;
    services.telemetry = &telemetry;
    for (int id : {1, 2, 3}) {
      tidemark::metadata::v1::Record record;
      auto* broker = record.mutable_register_broker();
      broker->set_broker_id(id);
      broker->set_incarnation_id(std::string(16, static_cast<char>(id)));
      auto* endpoint = broker->add_endpoints();
      endpoint->set_name("PLAINTEXT");
      endpoint->set_host("host" + std::to_string(id));
      endpoint->set_port(9090 + static_cast<uint32_t>(id));
      endpoint->set_protocol("PLAINTEXT");
      broker->set_fenced(id == 3);
      if (id == 2) broker->set_rack("r2");
      Apply(record);
    }
  }

  static Uuid TopicId(int n) {
    Uuid id;
    id.bytes[15] = static_cast<uint8_t>(n);
    return id;
  }

  void Apply(const tidemark::metadata::v1::Record& record) {
    tidemark::metadata::ImageBuilder builder(metadata.Get());
    const MetadataOffset offset = metadata.Get()->offset() + 1;
    Status applied = builder.Apply(record, offset);
    if (!applied) throw std::runtime_error(applied.error().message);
    metadata.Set(builder.Build(offset, nullptr));
  }
  void AddTopic(const std::string& name, int id) {
    tidemark::metadata::v1::Record record;
    record.mutable_add_topic()->set_name(name);
    record.mutable_add_topic()->set_topic_id(TopicId(id).ToBytes());
    Apply(record);
  }
  void AddPartition(int id, int index, std::vector<int> replicas,
                    std::vector<int> isr, int leader) {
    tidemark::metadata::v1::Record record;
    auto* partition = record.mutable_add_partition();
    partition->set_topic_id(TopicId(id).ToBytes());
    partition->set_partition(index);
    for (int replica : replicas) partition->add_replicas(replica);
    for (int replica : isr) partition->add_isr(replica);
    partition->set_leader(leader);
    partition->set_leader_epoch(5);
    Apply(record);
  }
  void SetConfig(tidemark::metadata::v1::ResourceType type,
                 const std::string& name, const std::string& key,
                 const std::string& value) {
    tidemark::metadata::v1::Record record;
    record.mutable_set_config()->set_type(type);
    record.mutable_set_config()->set_name(name);
    record.mutable_set_config()->set_key(key);
    record.mutable_set_config()->set_value(value);
    Apply(record);
  }

  RequestContext Context(int16_t version) {
    RequestContext context;
    context.version = version;
    context.client_host = "/127.0.0.1";
    context.listener = "PLAINTEXT";
    context.executor = &executor;
    context.services = &services;
    return context;
  }

  // Runs a handler until it has answered.
  template <class Response, class Request>
  Response Ask(void (*handler)(RequestContext, Request, Reply<Response>),
               Request request, int16_t version) {
    std::optional<Response> answer;
    handler(Context(version), std::move(request),
            [&](Response response) { answer = std::move(response); });
    executor.RunAll();
    return answer.value();
  }

  BrokerConfig config;
  ImageHolder metadata;
  FakeController controller;
  ProducerIdAllocator producer_ids;
  ClientTelemetry telemetry{{}};
  ManualExecutor executor;
  Services services;
};

}  // namespace tidemark::server
