#include "broker/kafka/handlers/handlers.h"

#include <gmock/gmock.h>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/table.h"
#include "common/kafka/messages/add_raft_voter.h"
#include "common/kafka/messages/alter_configs.h"
#include "common/kafka/messages/alter_partition_reassignments.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/describe_quorum.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/incremental_alter_configs.h"
#include "common/kafka/messages/init_producer_id.h"
#include "common/kafka/messages/list_config_resources.h"
#include "common/kafka/messages/list_partition_reassignments.h"
#include "common/kafka/messages/metadata.h"
#include "common/kafka/messages/remove_raft_voter.h"
#include "common/kafka/messages/update_features.h"
#include "common/metadata/configs.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(HandlerTable, AdvertisesWhatIsServedAndNothingElse) {
  std::map<std::string, std::string> ranges;
  for (const Api& api : HandlerTable()) {
    ranges[std::string(kafka::ApiName(api.key))] =
        std::to_string(api.advertised.min) + "-" +
        std::to_string(api.advertised.max);
  }
  const std::map<std::string, std::string> expected = {
      {"Produce", "0-12"},
      {"Fetch", "4-17"},
      {"ListOffsets", "1-10"},
      {"Metadata", "0-12"},
      {"OffsetCommit", "1-9"},
      {"OffsetFetch", "1-9"},
      {"FindCoordinator", "0-5"},
      {"JoinGroup", "0-9"},
      {"Heartbeat", "0-4"},
      {"LeaveGroup", "0-5"},
      {"SyncGroup", "0-5"},
      {"DescribeGroups", "0-6"},
      {"ListGroups", "0-5"},
      {"SaslHandshake", "0-1"},
      {"ApiVersions", "0-4"},
      {"SaslAuthenticate", "0-2"},
      {"DescribeClientQuotas", "0-1"},
      {"DescribeUserScramCredentials", "0-0"},
      {"AlterUserScramCredentials", "0-0"},
      {"CreateTopics", "2-7"},
      {"DeleteTopics", "1-6"},
      {"InitProducerId", "0-5"},
      {"OffsetForLeaderEpoch", "2-4"},
      {"DescribeAcls", "1-3"},
      {"CreateAcls", "1-3"},
      {"DeleteAcls", "1-3"},
      {"DescribeConfigs", "1-4"},
      {"CreatePartitions", "0-3"},
      {"DeleteGroups", "0-2"},
      {"IncrementalAlterConfigs", "0-1"},
      {"AlterConfigs", "0-2"},
      {"AlterReplicaLogDirs", "1-2"},
      {"GetTelemetrySubscriptions", "0-0"},
      {"PushTelemetry", "0-0"},
      {"ListConfigResources", "0-1"},
      {"AlterPartitionReassignments", "0-1"},
      {"ListPartitionReassignments", "0-0"},
      {"DescribeCluster", "0-2"},
      {"DescribeTopicPartitions", "0-0"},
      {"DescribeQuorum", "0-2"},
      {"AddRaftVoter", "0-0"},
      {"RemoveRaftVoter", "0-0"},
      {"UpdateFeatures", "0-2"},
      {"AddPartitionsToTxn", "0-5"},
      {"AddOffsetsToTxn", "0-4"},
      {"EndTxn", "0-5"},
      {"WriteTxnMarkers", "1-2"},
      {"TxnOffsetCommit", "0-5"},
      {"DescribeProducers", "0-0"},
      {"DescribeTransactions", "0-0"},
      {"ListTransactions", "0-2"},
      {"DeleteRecords", "0-2"},
      {"DescribeLogDirs", "1-4"},
      {"ElectLeaders", "0-2"},
      {"OffsetDelete", "0-0"},
      {"UnregisterBroker", "0-0"},
  };
  EXPECT_EQ(ranges, expected);
}

TEST(HandlerTable, EveryRowSaysWhatItTouchesAndWhatItCountsAgainst) {
  std::set<std::string> mutations;
  for (const Api& api : HandlerTable()) {
    const std::string name(kafka::ApiName(api.key));
    const bool first =
        api.key == kafka::ApiKey::kApiVersions || name.starts_with("Sasl");
    // What a client says of itself, and is told to say; and what says less to
    // those who may see less.
    const bool open = first || name.find("Telemetry") != std::string::npos ||
                      api.key == kafka::ApiKey::kDescribeCluster;
    EXPECT_EQ(api.access.resource == AclResource::kAny, open) << name;
    EXPECT_EQ(api.access.operation == AclOperation::kAny, open) << name;
    EXPECT_EQ(api.access.quota == QuotaClass::kExempt, first) << name;
    // Who names resources has a guard that asks for each of them.
    EXPECT_TRUE(api.guarded || api.access.resource == AclResource::kAny ||
                api.access.resource == AclResource::kCluster)
        << name;
    if (api.access.quota == QuotaClass::kControllerMutation) {
      mutations.insert(name);
    }
  }
  EXPECT_THAT(mutations,
              ElementsAre("CreatePartitions", "CreateTopics", "DeleteTopics"));
}

TEST(ApiVersions, ListsTheTable) {
  TestCluster cluster;
  auto response = cluster.Ask(&HandleApiVersions, {}, 0);
  EXPECT_EQ(response.error_code, 0);
  EXPECT_EQ(response.api_keys.size(), HandlerTable().size());
}

TEST(ApiVersions, TellsTheLevelsThatTheClusterWorksAt) {
  TestCluster cluster;
  const kafka::ApiVersionsRequest ask{"test", "1"};
  auto response = cluster.Ask(&HandleApiVersions, ask, 4);
  // name, lowest, highest
  using Supported = kafka::ApiVersionsResponse::SupportedFeatureKey;
  using Finalized = kafka::ApiVersionsResponse::FinalizedFeatureKey;
  const Supported metadata_version{"metadata.version", 1,
                                   tidemark::metadata::kNewestLevel};
  EXPECT_THAT(response.supported_features,
              ElementsAre(metadata_version, Supported{"kraft.version", 0, 1},
                          Supported{"transaction.version", 0, 2}));
  EXPECT_THAT(response.finalized_features,
              ElementsAre(Finalized{"metadata.version", 1, 1}));
  EXPECT_EQ(response.finalized_features_epoch,
            cluster.metadata.Get()->offset());
  tidemark::metadata::v1::Record record;
  record.mutable_set_feature()->set_name("kraft.version");
  record.mutable_set_feature()->set_level(1);
  cluster.Apply(record);
  response = cluster.Ask(&HandleApiVersions, ask, 3);
  EXPECT_THAT(response.supported_features, ElementsAre(metadata_version))
      << "version 3 has no room for a lowest level of 0";
  EXPECT_THAT(response.finalized_features,
              ElementsAre(Finalized{"metadata.version", 1, 1},
                          Finalized{"kraft.version", 1, 1}));
}

kafka::UpdateFeaturesRequest ChangeOf(int16_t level, int8_t type,
                                      bool down = false) {
  kafka::UpdateFeaturesRequest request;
  request.feature_updates.push_back({"metadata.version", level, down, type});
  request.validate_only = true;
  return request;
}

TEST(UpdateFeatures, AreAskedOfTheControllers) {
  using Kind = admin::v1::UpdateFeaturesRequest;
  TestCluster cluster;
  for (const auto& [type, kind] : {std::pair(1, Kind::UPGRADE),
                                   {2, Kind::SAFE_DOWNGRADE},
                                   {3, Kind::UNSAFE_DOWNGRADE},
                                   {4, Kind::UNKNOWN}}) {
    const auto response =
        cluster.Ask(&HandleUpdateFeatures, ChangeOf(2, type), 1);
    EXPECT_EQ(response.error_code, 0);
    ASSERT_EQ(response.results.size(), 1u);
    EXPECT_EQ(response.results[0].feature, "metadata.version");
    const auto& asked = cluster.controller.updates.back();
    EXPECT_TRUE(asked.validate_only());
    EXPECT_EQ(asked.updates(0).kind(), kind);
    EXPECT_EQ(asked.updates(0).level(), 2);
  }
  cluster.Ask(&HandleUpdateFeatures, ChangeOf(1, 1, true), 0);
  EXPECT_EQ(cluster.controller.updates.back().updates(0).kind(),
            Kind::SAFE_DOWNGRADE);
  cluster.controller.feature_failure = ErrorCode::kInvalidUpdateVersion;
  const auto refused = cluster.Ask(&HandleUpdateFeatures, ChangeOf(9, 1), 2);
  EXPECT_EQ(refused.error_code, Code(ErrorCode::kInvalidUpdateVersion));
  EXPECT_EQ(refused.error_message, "no");
  EXPECT_TRUE(refused.results.empty());
  auto bytes = ChangeOf(2, 1);
  bytes.feature_updates[0].feature = "\xff";
  EXPECT_EQ(cluster.Ask(&HandleUpdateFeatures, bytes, 2).error_code,
            Code(ErrorCode::kInvalidRequest));
}

TEST(ApiVersions, SoftwareNamesMustBeNames) {
  TestCluster cluster;
  // name, version, error
  for (auto [name, version, error] :
       std::vector<std::tuple<const char*, const char*, int>>{
           {"apache-kafka-java", "4.0.0", 0},
           {"", "1", 42},
           {"a", "", 42},
           {"-a", "1", 42},
           {"a b", "1", 42}}) {
    auto response = cluster.Ask(&HandleApiVersions,
                                kafka::ApiVersionsRequest{name, version}, 3);
    EXPECT_EQ(response.error_code, error) << name;
  }
}

kafka::DescribeQuorumRequest AskForLog(const std::string& name, int index) {
  kafka::DescribeQuorumRequest request;
  request.topics.push_back({name, {{index}}});
  return request;
}

TEST(DescribeQuorum, ShowsTheControllersAsTheReplicasOfTheirLog) {
  TestCluster cluster;
  auto& quorum = cluster.controller.quorum.emplace();
  quorum.set_leader(101);
  quorum.set_epoch(7);
  quorum.set_committed_offset(40);
  for (int id : {101, 102, 103}) {
    auto* voter = quorum.add_voters();
    voter->set_id(id);
    voter->set_host("c" + std::to_string(id));
    voter->set_port(40'000 + id);
    voter->set_match_offset(id == 103 ? 30 : 40);
    voter->set_active(id != 103);
    voter->set_directory_id(TestCluster::TopicId(id).ToBytes());
  }
  quorum.add_learners()->set_id(104);
  const auto response =
      cluster.Ask(&HandleDescribeQuorum, AskForLog("__cluster_metadata", 0), 2);
  EXPECT_EQ(response.error_code, 0);
  const auto& log = response.topics.at(0).partitions.at(0);
  EXPECT_EQ(log.error_code, 0);
  EXPECT_EQ(log.leader_id, 101);
  EXPECT_EQ(log.leader_epoch, 7);
  EXPECT_EQ(log.high_watermark, 40);
  ASSERT_EQ(log.current_voters.size(), 3u);
  EXPECT_EQ(log.current_voters[1].replica_directory_id,
            TestCluster::TopicId(102));
  EXPECT_GE(log.current_voters[1].last_caught_up_timestamp, 0);
  EXPECT_EQ(log.current_voters[2].log_end_offset, 30);
  EXPECT_EQ(log.current_voters[2].last_fetch_timestamp, -1);
  ASSERT_EQ(log.observers.size(), 1u);
  EXPECT_EQ(log.observers[0].replica_id, 104);
  ASSERT_EQ(response.nodes.size(), 4u);
  EXPECT_EQ(response.nodes[0].listeners.at(0).host, "c101");
  EXPECT_EQ(static_cast<uint16_t>(response.nodes[0].listeners[0].port), 40'101);
}

TEST(DescribeQuorum, ThereIsOneLog) {
  TestCluster cluster;
  cluster.controller.quorum.emplace();
  for (const auto& [name, index] :
       {std::pair("t", 0), {"__cluster_metadata", 1}}) {
    const auto response =
        cluster.Ask(&HandleDescribeQuorum, AskForLog(name, index), 1);
    EXPECT_EQ(response.topics.at(0).partitions.at(0).error_code,
              Code(ErrorCode::kUnknownTopicOrPartition));
  }
  auto much = AskForLog("__cluster_metadata", 0);
  much.topics.resize(2, much.topics[0]);
  const auto refused = cluster.Ask(&HandleDescribeQuorum, much, 2);
  EXPECT_EQ(refused.error_code, Code(ErrorCode::kInvalidRequest));
  cluster.controller.quorum.reset();
  const auto nobody =
      cluster.Ask(&HandleDescribeQuorum, AskForLog("__cluster_metadata", 0), 2);
  EXPECT_EQ(nobody.error_code, Code(ErrorCode::kRequestTimedOut));
}

TEST(RaftVoters, AreAddedAndRemovedByTheControllers) {
  TestCluster cluster;
  kafka::AddRaftVoterRequest add;
  add.voter_id = 4;
  add.voter_directory_id = TestCluster::TopicId(4);
  add.timeout_ms = 5000;
  EXPECT_EQ(cluster.Ask(&HandleAddRaftVoter, add, 0).error_code,
            Code(ErrorCode::kInvalidRequest))
      << "where is it?";
  add.listeners.push_back({"CONTROLLER", "d", static_cast<int16_t>(40'093)});
  add.cluster_id = "another";
  EXPECT_EQ(cluster.Ask(&HandleAddRaftVoter, add, 0).error_code,
            Code(ErrorCode::kInconsistentClusterId));
  EXPECT_TRUE(cluster.controller.changes.empty());
  add.cluster_id = cluster.services.cluster_id;
  EXPECT_EQ(cluster.Ask(&HandleAddRaftVoter, add, 0).error_code, 0);
  kafka::RemoveRaftVoterRequest remove;
  remove.voter_id = 2;
  remove.voter_directory_id = TestCluster::TopicId(2);
  EXPECT_EQ(cluster.Ask(&HandleRemoveRaftVoter, remove, 0).error_code, 0);
  ASSERT_EQ(cluster.controller.changes.size(), 2u);
  const auto& added = cluster.controller.changes[0];
  EXPECT_EQ(added.kind(), admin::v1::ChangeQuorumRequest::ADD);
  EXPECT_EQ(added.id(), 4);
  EXPECT_EQ(added.host() + ":" + std::to_string(added.port()), "d:40093");
  EXPECT_EQ(added.timeout_ms(), 5000);
  const auto& removed = cluster.controller.changes[1];
  EXPECT_EQ(removed.kind(), admin::v1::ChangeQuorumRequest::REMOVE);
  EXPECT_EQ(removed.directory_id(), TestCluster::TopicId(2).ToBytes());
}

TEST(CreateTopics, AnswersInRequestOrderWithWhatTheControllersSaid) {
  TestCluster cluster;
  cluster.controller.on_create =
      [&](const admin::v1::CreateTopicsRequest& request) {
        EXPECT_EQ(request.topics_size(), 2);
        cluster.AddTopic("b", 5);
        admin::v1::CreateTopicsResponse response;
        auto* b = response.add_topics();
        b->set_name("b");
        b->set_partitions(3);
        b->set_replication_factor(2);
        b->set_topic_id(TestCluster::TopicId(5).ToBytes());
        auto* a = response.add_topics();
        a->set_name("a");
        a->set_code(38);
        a->set_message("3 brokers are alive");
        return response;
      };
  kafka::CreateTopicsRequest request;
  for (const char* name : {"a", "b", "twice", "twice", "gap", "null"}) {
    request.topics.emplace_back().name = name;
  }
  request.topics[4].assignments.emplace_back().partition_index = 1;
  request.topics[5].configs.emplace_back().name = "retention.ms";
  auto response = cluster.Ask(&HandleCreateTopics, request, 7);
  ASSERT_EQ(response.topics.size(), 5u);
  EXPECT_EQ(response.topics[0].error_code, 38);
  EXPECT_EQ(response.topics[0].error_message, "3 brokers are alive");
  EXPECT_EQ(response.topics[1].error_code, 0);
  EXPECT_EQ(response.topics[1].topic_id, TestCluster::TopicId(5));
  EXPECT_EQ(response.topics[1].num_partitions, 3);
  EXPECT_EQ(response.topics[1].configs->size(),
            tidemark::metadata::TopicConfigKeys().size());
  EXPECT_EQ(response.topics[2].error_code, 42);
  EXPECT_EQ(response.topics[3].error_code, 39);
  EXPECT_EQ(response.topics[4].error_code, 40);
}

// Bytes that are no UTF-8 would make the controllers refuse the whole message.
TEST(CreateTopics, WhatIsNoTextIsRefusedAndTheRestIsNot) {
  TestCluster cluster;
  cluster.controller.on_create =
      [&](const admin::v1::CreateTopicsRequest& request) {
        // As it goes over the wire.
        admin::v1::CreateTopicsRequest parsed;
        EXPECT_TRUE(parsed.ParseFromString(request.SerializeAsString()));
        admin::v1::CreateTopicsResponse response;
        for (const auto& topic : parsed.topics()) {
          response.add_topics()->set_name(topic.name());
        }
        return response;
      };
  kafka::CreateTopicsRequest request;
  request.topics.resize(4);
  request.topics[0].name = "good";
  request.topics[1].name = "bad\xff";
  request.topics[2].name = "value";
  request.topics[2].configs.push_back({"retention.ms", "\xc3("});
  request.topics[3].name = "key";
  request.topics[3].configs.push_back({"\xff", "1"});
  auto response = cluster.Ask(&HandleCreateTopics, request, 7);
  ASSERT_EQ(response.topics.size(), 4u);
  EXPECT_EQ(response.topics[0].error_code, Code(ErrorCode::kNone));
  EXPECT_EQ(response.topics[1].error_code,
            Code(ErrorCode::kInvalidTopicException));
  EXPECT_EQ(response.topics[2].error_code, Code(ErrorCode::kInvalidConfig));
  EXPECT_EQ(response.topics[3].error_code, Code(ErrorCode::kInvalidConfig));
  ASSERT_EQ(cluster.controller.created.size(), 1u);
  EXPECT_EQ(cluster.controller.created[0].topics_size(), 1);
}

TEST(DeleteTopics, WhatIsNoTextIsUnknownAndTheRestIsNot) {
  TestCluster cluster;
  cluster.controller.on_delete =
      [&](const admin::v1::DeleteTopicsRequest& request) {
        admin::v1::DeleteTopicsRequest parsed;
        EXPECT_TRUE(parsed.ParseFromString(request.SerializeAsString()));
        admin::v1::DeleteTopicsResponse response;
        for (const auto& name : parsed.names()) {
          response.add_topics()->set_name(name);
        }
        return response;
      };
  kafka::DeleteTopicsRequest request;
  request.topics = {{"\xff", Uuid{}}, {"good", Uuid{}}};
  auto response = cluster.Ask(&HandleDeleteTopics, request, 6);
  ASSERT_EQ(response.responses.size(), 2u);
  EXPECT_EQ(response.responses[0].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(response.responses[1].error_code, Code(ErrorCode::kNone));
}

TEST(IncrementalAlterConfigs, WhatIsNoTextIsRefusedAndTheRestIsNot) {
  TestCluster cluster;
  kafka::IncrementalAlterConfigsRequest request;
  request.resources.resize(3);
  request.resources[0].resource_type = 2;
  request.resources[0].resource_name = "\xff";
  request.resources[1].resource_type = 2;
  request.resources[1].resource_name = "good";
  request.resources[1].configs.push_back({"retention.ms", 0, "5"});
  request.resources[2].resource_type = 2;
  request.resources[2].resource_name = "value";
  request.resources[2].configs.push_back({"retention.ms", 0, "\xff"});
  auto response = cluster.Ask(&HandleIncrementalAlterConfigs, request, 1);
  ASSERT_EQ(response.responses.size(), 3u);
  EXPECT_EQ(response.responses[0].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(response.responses[1].error_code, Code(ErrorCode::kNone));
  EXPECT_EQ(response.responses[2].error_code, Code(ErrorCode::kInvalidConfig));
  ASSERT_EQ(cluster.controller.altered.size(), 1u);
  EXPECT_EQ(cluster.controller.altered[0].resources_size(), 1);
}

TEST(AlterConfigs, NamesAllThereIsToBe) {
  TestCluster cluster;
  kafka::AlterConfigsRequest request;
  for (const char* name : {"a", "b", "b", "\xff"}) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = name;
    resource.configs.emplace_back().name = "retention.ms";
    resource.configs[0].value = "5";
  }
  auto& null_value = request.resources.emplace_back(request.resources[0]);
  null_value.resource_name = "c";
  null_value.configs[0].value.reset();
  const auto response = cluster.Ask(&HandleAlterConfigs, request, 2);
  ASSERT_EQ(response.responses.size(), 5u);
  EXPECT_EQ(response.responses[0].error_code, 0);
  EXPECT_EQ(response.responses[1].error_code, 42);
  EXPECT_EQ(response.responses[2].error_code, 42);
  EXPECT_EQ(response.responses[3].error_code, 3);
  EXPECT_EQ(response.responses[4].error_code, 42);
  ASSERT_EQ(cluster.controller.altered.size(), 1u);
  const auto& asked = cluster.controller.altered[0];
  ASSERT_EQ(asked.resources_size(), 1) << "neither of two of the same name";
  EXPECT_TRUE(asked.resources(0).replace());
}

TEST(AlterConfigs, WhatABrokerReadsAtItsStartIsNotDynamic) {
  TestCluster cluster;
  kafka::IncrementalAlterConfigsRequest request;
  for (const char* key : {"node.id", "log.retention.ms", "no.such.key"}) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 4;
    resource.resource_name = key[0] == 'n' && key[1] == 'o' && key[2] == 'd'
                                 ? "1"
                                 : (key[0] == 'l' ? "" : "2");
    resource.configs.emplace_back().name = key;
    resource.configs[0].value = "7";
  }
  const auto response = cluster.Ask(&HandleIncrementalAlterConfigs, request, 1);
  EXPECT_EQ(response.responses.at(0).error_code, 42);
  EXPECT_EQ(response.responses[0].error_message,
            "Cannot update these configs dynamically: [node.id]");
  EXPECT_EQ(response.responses.at(1).error_code, 0);
  ASSERT_EQ(cluster.controller.altered.size(), 1u);
  EXPECT_EQ(cluster.controller.altered[0].resources_size(), 2);
}

// Kafka's answers, word for word.
TEST(AlterConfigs, CleanersAreChangedStepByStep) {
  TestCluster cluster;
  kafka::IncrementalAlterConfigsRequest request;
  const std::pair<const char*, const char*> wanted[] = {
      {"log.cleaner.threads", "2"},
      {"log.cleaner.threads", "3"},
      {"log.cleaner.threads", "0"},
      {"log.cleaner.dedupe.buffer.size", "100"},
      {"log.cleaner.threads", "x"},
      {"log.cleaner.backoff.ms", "5"},
      {"log.cleaner.threads", "9223372036854775807"}};
  for (const auto& [key, value] : wanted) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 4;
    resource.resource_name = std::to_string(request.resources.size());
    resource.configs.emplace_back().name = key;
    resource.configs[0].value = value;
  }
  const auto all = cluster.Ask(&HandleIncrementalAlterConfigs, request, 1);
  EXPECT_EQ(all.responses.at(0).error_code, 0);
  EXPECT_EQ(all.responses.at(1).error_code, 42);
  EXPECT_EQ(all.responses[1].error_message,
            "Invalid value org.apache.kafka.common.config.ConfigException: Log "
            "cleaner threads cannot be increased to more than double the "
            "current value 1 for configuration Invalid dynamic configuration");
  EXPECT_EQ(all.responses.at(2).error_code, 42);
  EXPECT_EQ(all.responses.at(3).error_message,
            "requirement failed: log.cleaner.dedupe.buffer.size must be at "
            "least 1MB per cleaner thread.");
  EXPECT_EQ(all.responses.at(4).error_code, 0) << "the controllers refuse it";
  EXPECT_EQ(all.responses.at(5).error_code, 0);
  EXPECT_EQ(all.responses.at(6).error_code, 42);
}

TEST(ListConfigResources, OfTheTypesAskedFor) {
  TestCluster cluster;
  cluster.AddTopic("t", 1);
  const auto names = [&](std::vector<int8_t> types, int16_t version) {
    kafka::ListConfigResourcesRequest request;
    request.resource_types = std::move(types);
    const auto response =
        cluster.Ask(&HandleListConfigResources, request, version);
    std::string out = std::to_string(response.error_code) + ":";
    for (const auto& resource : response.config_resources) {
      out +=
          " " + std::to_string(resource.resource_type) + resource.resource_name;
    }
    return out;
  };
  EXPECT_EQ(names({}, 0), "0:") << "client metrics, of which there are none";
  EXPECT_EQ(names({}, 1), "0: 41 42 2t") << "3 is fenced";
  EXPECT_EQ(names({2}, 1), "0: 2t");
  EXPECT_EQ(names({8, 16, 32}, 1), "0:");
  EXPECT_EQ(names({2, 9}, 1), "35:");
}

TEST(AlterPartitionReassignments, EachPartitionHasItsOwnAnswer) {
  TestCluster cluster;
  cluster.controller.on_move =
      [](const admin::v1::AlterPartitionReassignmentsRequest& request) {
        admin::v1::AlterPartitionReassignmentsResponse response;
        for (const auto& partition : request.partitions()) {
          auto* result = response.add_partitions();
          result->set_topic(partition.topic());
          result->set_partition(partition.partition());
          if (partition.has_replicas()) continue;
          result->set_code(85);
          result->set_message("no");
        }
        return response;
      };
  kafka::AlterPartitionReassignmentsRequest request;
  request.allow_replication_factor_change = false;
  for (const char* name : {"t", "\xff", "u"}) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.partitions.resize(2);
    topic.partitions[0].replicas = {2, 1};
    topic.partitions[1].partition_index = 1;
  }
  const auto response =
      cluster.Ask(&HandleAlterPartitionReassignments, request, 1);
  EXPECT_EQ(response.error_code, 0);
  EXPECT_FALSE(response.allow_replication_factor_change);
  ASSERT_EQ(response.responses.size(), 3u);
  for (int i : {0, 2}) {
    EXPECT_EQ(response.responses[i].partitions.at(0).error_code, 0);
    EXPECT_EQ(response.responses[i].partitions.at(1).partition_index, 1);
    EXPECT_EQ(response.responses[i].partitions.at(1).error_code, 85);
    EXPECT_EQ(response.responses[i].partitions.at(1).error_message, "no");
  }
  EXPECT_EQ(response.responses[1].partitions.at(0).error_code, 3);
  ASSERT_EQ(cluster.controller.moves.size(), 1u);
  const auto& asked = cluster.controller.moves[0];
  EXPECT_TRUE(asked.keep_replication_factor());
  ASSERT_EQ(asked.partitions_size(), 4) << "what is no text is not asked for";
  EXPECT_THAT(asked.partitions(0).replicas().broker_ids(), ElementsAre(2, 1));
  EXPECT_FALSE(asked.partitions(1).has_replicas());
  // As a whole.
  cluster.controller.on_move = nullptr;
  const auto none = cluster.Ask(&HandleAlterPartitionReassignments, request, 0);
  EXPECT_EQ(none.error_code, 7);
  EXPECT_TRUE(none.responses.empty());
}

TEST(ListPartitionReassignments, NoneNamedIsNotAll) {
  TestCluster cluster;
  admin::v1::ListPartitionReassignmentsResponse moving;
  for (int i : {3, 1}) {
    auto* one = moving.add_reassignments();
    one->set_topic("t");
    one->set_partition(i);
    one->add_replicas(2);
    one->add_replicas(1);
    one->add_adding_replicas(2);
    one->add_removing_replicas(1);
  }
  cluster.controller.moving = moving;
  kafka::ListPartitionReassignmentsRequest request;
  const auto all = cluster.Ask(&HandleListPartitionReassignments, request, 0);
  ASSERT_EQ(all.topics.size(), 1u);
  ASSERT_EQ(all.topics[0].partitions.size(), 2u);
  EXPECT_EQ(all.topics[0].partitions[0].partition_index, 3);
  EXPECT_THAT(all.topics[0].partitions[0].replicas, ElementsAre(2, 1));
  EXPECT_THAT(all.topics[0].partitions[0].adding_replicas, ElementsAre(2));
  EXPECT_THAT(all.topics[0].partitions[0].removing_replicas, ElementsAre(1));
  EXPECT_EQ(cluster.controller.asked_moves[0].partitions_size(), 0);
  request.topics.emplace();
  EXPECT_TRUE(cluster.Ask(&HandleListPartitionReassignments, request, 0)
                  .topics.empty());
  request.topics->emplace_back().name = "\xff";
  request.topics->back().partition_indexes = {0};
  EXPECT_TRUE(cluster.Ask(&HandleListPartitionReassignments, request, 0)
                  .topics.empty());
  EXPECT_EQ(cluster.controller.asked_moves.size(), 1u);
  request.topics->emplace_back().name = "t";
  request.topics->back().partition_indexes = {3, 1};
  cluster.Ask(&HandleListPartitionReassignments, request, 0);
  EXPECT_EQ(cluster.controller.asked_moves.at(1).partitions_size(), 2);
  cluster.controller.moving.reset();
  EXPECT_EQ(
      cluster.Ask(&HandleListPartitionReassignments, request, 0).error_code, 7);
}

TEST(CreateTopics, NoControllerIsATimeOut) {
  TestCluster cluster;
  kafka::CreateTopicsRequest request;
  request.topics.emplace_back().name = "a";
  auto response = cluster.Ask(&HandleCreateTopics, request, 7);
  EXPECT_EQ(response.topics.at(0).error_code, 7);
}

TEST(DeleteTopics, CanBeSwitchedOff) {
  TestCluster cluster({"delete.topic.enable=false"});
  kafka::DeleteTopicsRequest request;
  request.topic_names = {"a"};
  EXPECT_EQ(
      cluster.Ask(&HandleDeleteTopics, request, 1).responses.at(0).error_code,
      42);
  EXPECT_EQ(
      cluster.Ask(&HandleDeleteTopics, request, 5).responses.at(0).error_code,
      73);
}

TEST(DeleteTopics, ByNameAndById) {
  TestCluster cluster;
  cluster.controller.on_delete =
      [](const admin::v1::DeleteTopicsRequest& request) {
        admin::v1::DeleteTopicsResponse response;
        for (const auto& name : request.names()) {
          auto* topic = response.add_topics();
          topic->set_name(name);
          topic->set_code(3);
        }
        for (const auto& id : request.topic_ids()) {
          auto* topic = response.add_topics();
          topic->set_name("found");
          topic->set_topic_id(id);
        }
        return response;
      };
  kafka::DeleteTopicsRequest request;
  request.topics.emplace_back().topic_id = TestCluster::TopicId(4);
  request.topics.emplace_back().name = "a";
  auto response = cluster.Ask(&HandleDeleteTopics, request, 6);
  EXPECT_EQ(response.responses.at(0).error_code, 0);
  EXPECT_EQ(response.responses.at(0).name, "found");
  EXPECT_EQ(response.responses.at(1).error_code, 3);
  EXPECT_EQ(response.responses.at(1).name, "a");
}

class DescribeConfigsTest : public testing::Test {
 protected:
  kafka::DescribeConfigsResponse::DescribeConfigsResult Ask(
      TestCluster& cluster, int8_t type, const std::string& name,
      std::optional<std::vector<std::string>> keys) {
    kafka::DescribeConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys = std::move(keys);
    request.include_synonyms = true;
    request.include_documentation = true;
    return cluster.Ask(&HandleDescribeConfigs, request, 4).results.at(0);
  }
};

TEST_F(DescribeConfigsTest, TheNearestSourceWinsAndAllAreSynonyms) {
  TestCluster cluster({"log.retention.hours=5"});
  cluster.AddTopic("t", 1);
  auto ask = [&] {
    return Ask(cluster, 2, "t", {{"retention.ms"}}).configs.at(0);
  };
  EXPECT_EQ(ask().value, "18000000");
  EXPECT_EQ(ask().config_source, 4);
  EXPECT_EQ(ask().config_type, 5);
  EXPECT_FALSE(ask().documentation->empty());
  cluster.SetConfig(tidemark::metadata::v1::TOPIC, "t", "retention.ms", "77");
  EXPECT_EQ(ask().value, "77");
  EXPECT_EQ(ask().config_source, 1);
  ASSERT_EQ(ask().synonyms.size(), 3u);
  EXPECT_EQ(ask().synonyms[1].name, "log.retention.ms");
  EXPECT_EQ(ask().synonyms[1].source, 4);
  EXPECT_EQ(ask().synonyms[2].source, 5);
  EXPECT_EQ(ask().synonyms[2].value, "604800000");
}

TEST_F(DescribeConfigsTest, CleanupPolicyIsWhatConnectLooksFor) {
  TestCluster cluster;
  cluster.AddTopic("connect-offsets", 1);
  cluster.SetConfig(tidemark::metadata::v1::TOPIC, "connect-offsets",
                    "cleanup.policy", "compact");
  auto entry =
      Ask(cluster, 2, "connect-offsets", {{"cleanup.policy"}}).configs.at(0);
  EXPECT_EQ(entry.value, "compact");
  EXPECT_EQ(entry.config_type, 7);
}

TEST_F(DescribeConfigsTest, Refusals) {
  TestCluster cluster;
  // resource type, name, error
  for (auto [type, name, error] :
       std::vector<std::tuple<int, const char*, int>>{{2, "none", 3},
                                                      {2, "a b", 17},
                                                      {4, "2", 42},
                                                      {4, "x", 42},
                                                      {8, "1", 42},
                                                      {4, "1", 0},
                                                      {4, "", 0}}) {
    EXPECT_EQ(
        Ask(cluster, static_cast<int8_t>(type), name, std::nullopt).error_code,
        error)
        << type << " " << name;
  }
}

TEST_F(DescribeConfigsTest, StaticBrokerSettingsAreReadOnly) {
  TestCluster cluster;
  auto entry = Ask(cluster, 4, "1", {{"node.id"}}).configs.at(0);
  EXPECT_EQ(entry.value, "1");
  EXPECT_TRUE(entry.read_only);
  EXPECT_EQ(entry.config_source, 4);
}

TEST(IncrementalAlterConfigs, ShapeIsCheckedBeforeTheControllersAreAsked) {
  TestCluster cluster;
  kafka::IncrementalAlterConfigsRequest request;
  auto add = [&](int8_t type, const char* name, const char* key, int8_t op,
                 std::optional<std::string> value) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = op;
    config.value = std::move(value);
  };
  add(2, "good", "retention.ms", 0, "1");
  add(2, "deleted", "retention.ms", 1, std::nullopt);
  add(2, "null", "retention.ms", 0, std::nullopt);
  add(2, "operation", "retention.ms", 4, "1");
  add(8, "logger", "x", 0, "1");
  add(2, "twice", "x", 0, "1");
  add(2, "twice", "x", 0, "1");
  auto response = cluster.Ask(&HandleIncrementalAlterConfigs, request, 1);
  std::vector<int> errors;
  for (const auto& outcome : response.responses) {
    errors.push_back(outcome.error_code);
  }
  EXPECT_THAT(errors, ElementsAre(0, 0, 42, 42, 42, 42, 42));
  ASSERT_EQ(cluster.controller.altered.size(), 1u);
  EXPECT_EQ(cluster.controller.altered[0].resources_size(), 2);
}

TEST(InitProducerId, IdsAreUniqueAndBlocksAreFetchedAhead) {
  TestCluster cluster;
  cluster.controller.block_size = 300;
  std::set<int64_t> ids;
  for (int i = 0; i < 1000; ++i) {
    auto response = cluster.Ask(&HandleInitProducerId, {}, 5);
    EXPECT_EQ(response.error_code, 0);
    EXPECT_EQ(response.producer_epoch, 0);
    EXPECT_TRUE(ids.insert(response.producer_id).second);
  }
  EXPECT_EQ(cluster.controller.blocks, 4);
}

TEST(InitProducerId, Refusals) {
  TestCluster cluster;
  kafka::InitProducerIdRequest transactional;
  transactional.transactional_id = "t";
  EXPECT_EQ(cluster.Ask(&HandleInitProducerId, transactional, 5).error_code,
            42);
  kafka::InitProducerIdRequest half;
  half.producer_id = 5;
  EXPECT_EQ(cluster.Ask(&HandleInitProducerId, half, 5).error_code, 42);
  cluster.controller.block_size = -1;
  EXPECT_EQ(cluster.Ask(&HandleInitProducerId, {}, 5).error_code, 14);
}

}  // namespace
}  // namespace tidemark::server
