#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/coordinator/group_coordinator.h"
#include "broker/coordinator/transaction_verifier.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/join_group.h"
#include "common/metadata/apply.h"
#include "common/record/batch_builder.h"
#include "tests/unit/broker/coordinator/fakes.h"

namespace tidemark::coordinator {

constexpr int16_t Code(ErrorCode error) { return static_cast<int16_t>(error); }

// The handlers of the group APIs in front of a GroupCoordinator whose log is in
// memory, and whose time stands still.
// Says of every transaction what it is told to.
class FakeVerifier final : public TransactionVerifier {
 public:
  ErrorCode answer = ErrorCode::kNone;
  std::vector<AddPartitionsRequest> asked;

  void Ask(AddPartitionsRequest request, Executor& on,
           Done<AddPartitionsResult> done) override {
    AddPartitionsResult result;
    result.partitions.resize(request.partitions.size(), answer);
    asked.push_back(std::move(request));
    on.Post([done = std::move(done), result] { done(result); });
  }
};

class GroupCoordinatorTest : public testing::Test {
 protected:
  GroupCoordinatorTest() {
    services.metadata = &metadata;
    services.groups = &groups;
    services.replicas = &replicas;
    services.verifier = &verifier;
  }

  void AddBroker(int32_t id, bool fenced) {
    metadata::v1::Record record;
    auto& broker = *record.mutable_register_broker();
    broker.set_broker_id(id);
    broker.set_incarnation_id(Uuid::Random().ToBytes());
    broker.set_fenced(fenced);
    for (const char* name : {"PLAINTEXT", "EXTERNAL"}) {
      auto& endpoint = *broker.add_endpoints();
      endpoint.set_name(name);
      endpoint.set_host(std::string(name) + ".host");
      endpoint.set_port(9092 + static_cast<uint32_t>(id));
    }
    Apply(record);
  }
  void AddTopic(const std::string& name, int32_t partitions) {
    const std::string id = Uuid::Random().ToBytes();
    metadata::v1::Record topic;
    topic.mutable_add_topic()->set_name(name);
    topic.mutable_add_topic()->set_topic_id(id);
    Apply(topic);
    for (int32_t i = 0; i < partitions; ++i) {
      metadata::v1::Record record;
      auto& partition = *record.mutable_add_partition();
      partition.set_topic_id(id);
      partition.set_partition(i);
      partition.add_replicas(1);
      partition.add_isr(1);
      partition.set_leader(1);
      Apply(record);
    }
  }
  void Apply(const metadata::v1::Record& record) {
    metadata::ImageBuilder builder(metadata.Get());
    ASSERT_TRUE(builder.Apply(record, ++offset));
    metadata.Set(builder.Build(offset, nullptr));
  }
  // A cluster of one broker that coordinates everything.
  void Serve() {
    AddBroker(1, false);
    AddTopic(kOffsetsTopic, 1);
    AddTopic("t", 2);
    groups.OnLeader({kOffsetsTopic, 0}, replicas.epoch);
    executor.RunReady();
  }
  void StartLoading() {
    replicas.auto_commit = false;
    replicas.AppendCommitted({kOffsetsTopic, 0}, 0, AnyBatch(), {},
                             std::chrono::seconds(1), executor, [](auto) {});
    Serve();
  }
  SharedBytes AnyBatch() {
    record::BatchBuilder builder;
    builder.Add(1, std::string("\0\3x", 3), "x");
    return SharedBytes(builder.Build());
  }

  // Runs a handler; nullopt when it did not answer.
  template <class Request, class Response>
  std::optional<Response> Call(void (*handler)(server::RequestContext, Request,
                                               server::Reply<Response>),
                               int16_t version, Request request,
                               Duration wait = {}) {
    server::RequestContext context{.version = version,
                                   .client_id = "c",
                                   .client_host = "/127.0.0.1",
                                   .listener = "EXTERNAL",
                                   .executor = &executor,
                                   .services = &services};
    auto answer = std::make_shared<std::optional<Response>>();
    handler(context, std::move(request),
            [answer](Response r) { *answer = std::move(r); });
    executor.RunReady();
    if (wait > Duration::zero()) executor.Advance(wait);
    return *answer;
  }
  kafka::JoinGroupRequest Join(const std::string& group,
                               const std::string& member = "") {
    return {.group_id = group,
            .session_timeout_ms = 10'000,
            .rebalance_timeout_ms = 60'000,
            .member_id = member,
            .protocol_type = "consumer",
            .protocols = {{"range", SharedBytes(std::string("m"))}}};
  }

  ManualExecutor executor;
  FakeReplicas replicas{executor};
  FakeController controller;
  FakeVerifier verifier;
  ImageHolder metadata;
  MetadataOffset offset = 0;
  static constexpr size_t kMemory = 1 << 20;
  GroupCoordinator groups{
      GroupConfig{}, OffsetsTopicConfig(), SnapshotOptions{}, kMemory,
      metadata,      controller,           replicas};
  server::Services services;
};

}  // namespace tidemark::coordinator
