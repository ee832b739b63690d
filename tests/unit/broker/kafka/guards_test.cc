// What clients are answered who may not do what they ask for. What each API
// asks for is held against Kafka's answers in tests/clients/apps/acls_cases.py.
#include "broker/kafka/handlers/guards.h"

#include <gmock/gmock.h>

#include <memory>
#include <set>

#include "broker/kafka/audit_log.h"
#include "broker/kafka/dispatcher.h"
#include "broker/kafka/handlers/table.h"
#include "common/kafka/messages/create_acls.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_acls.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_acls.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/join_group.h"
#include "common/kafka/messages/metadata.h"
#include "common/kafka/messages/produce.h"
#include "common/metadata/acl_messages.h"
#include "tests/unit/broker/kafka/test_services.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::server {
namespace {

using enum AclOperation;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr int16_t kTopicError = 29;
constexpr int16_t kGroupError = 30;
constexpr int16_t kClusterError = 31;

class FakeClock final : public Clock {
 public:
  Instant Now() const override { return {}; }
  int64_t WallMs() const override { return now_ms; }
  int64_t now_ms = 0;
};

class Guards : public testing::Test {
 protected:
  Guards() {
    cluster_.services.authorizer = &authorizer_;
    cluster_.services.audit = &audit_;
    cluster_.AddTopic("orders", 1);
    cluster_.AddPartition(1, 0, {1, 2}, {1, 2}, 1);
    cluster_.AddTopic("secret", 2);
    cluster_.AddPartition(2, 0, {1, 2}, {1, 2}, 1);
  }

  void Allow(
      AclOperation operation, AclResource type, const std::string& name,
      metadata::AclPermission permission = metadata::AclPermission::kAllow) {
    tidemark::metadata::v1::Record record;
    auto* set = record.mutable_set_acl();
    set->set_id(TestCluster::TopicId(100 + ++acls_).ToBytes());
    set->set_resource_type(static_cast<int32_t>(type));
    set->set_resource_name(name);
    set->set_pattern_type(3);
    set->set_principal("User:ANONYMOUS");
    set->set_host("127.0.0.1");
    set->set_operation(static_cast<int32_t>(operation));
    set->set_permission(static_cast<int32_t>(permission));
    cluster_.Apply(record);
  }

  // By the dispatcher, as a connection does. nullopt: closed.
  template <class Response, class Request>
  std::optional<Response> Ask(const Request& request, int16_t version) {
    const Dispatcher dispatcher(HandlerTable(), cluster_.services, metrics_);
    std::optional<Answer> answer;
    const std::string sent =
        kafka::EncodeRequest(request, version, 7, "app").value().Flatten();
    RequestContext context = cluster_.Context(version);
    dispatcher.Dispatch(std::move(context), SharedBytes(sent.substr(4)),
                        Responder([&](Answer a) { answer = std::move(a); }));
    cluster_.executor.RunAll();
    if (!answer || answer->kind != Answer::Kind::kFrame) return std::nullopt;
    const SharedBytes frame(answer->frame.Flatten().substr(4));
    const auto header =
        kafka::DecodeResponseHeader(frame, Response::kKey, version);
    return kafka::DecodeResponse<Response>(header.value().body, version)
        .value();
  }

  TestCluster cluster_;
  NetworkMetrics metrics_;
  authorization::Authorizer authorizer_{{}};
  FakeClock clock_;
  std::vector<std::string> lines_;
  AuditLog audit_{[this](std::string line) { lines_.push_back(line); }, clock_};
  int acls_ = 0;
};

TEST_F(Guards, AClusterRightIsAskedForBeforeTheHandler) {
  std::map<kafka::ApiKey, Access> rows;
  for (const Api& api : HandlerTable()) rows[api.key] = api.access;
  int asked = 0;
  kafka::ForEachApi([&]<class Request, class Response>(const std::string& api) {
    const auto row = rows.find(Request::kKey);
    if (row == rows.end() || row->second.resource != AclResource::kCluster) {
      return;
    }
    ++asked;
    lines_.clear();
    const auto answer = Ask<Response>(Request(), Request::kMaxVersion);
    ASSERT_TRUE(answer) << api;
    if constexpr (requires { answer->error_code; }) {
      EXPECT_EQ(answer->error_code, kClusterError) << api;
    }
    // Each is there because somebody asked for it.
    ASSERT_FALSE(lines_.empty()) << api;
    // Denials of brokers' own right are not written down, of the other one are.
    const AclOperation denied = Request::kKey == kafka::ApiKey::kWriteTxnMarkers
                                    ? AclOperation::kAlter
                                    : row->second.operation;
    EXPECT_THAT(lines_.back(),
                HasSubstr("operation=" + std::string(Name(denied))))
        << api;
  });
  EXPECT_EQ(asked, 18);
}

TEST_F(Guards, TopicsThatMayNotBeSeenAreNotThere) {
  Allow(kRead, AclResource::kTopic, "orders");
  kafka::MetadataRequest request;  // all
  auto answer = Ask<kafka::MetadataResponse>(request, 9).value();
  ASSERT_THAT(answer.topics, SizeIs(1));
  EXPECT_EQ(answer.topics[0].name, "orders");
  EXPECT_THAT(lines_, IsEmpty()) << "nobody has asked for the other";

  // Asked by name, one that is hidden is as one that there is not.
  request.topics.emplace();
  for (const char* name : {"orders", "secret", "none"}) {
    request.topics->push_back({Uuid{}, name});
  }
  request.include_topic_authorized_operations = true;
  request.include_cluster_authorized_operations = true;
  answer = Ask<kafka::MetadataResponse>(request, 9).value();
  ASSERT_THAT(answer.topics, SizeIs(3));
  EXPECT_EQ(answer.topics[0].error_code, 0);
  EXPECT_EQ(answer.topics[0].topic_authorized_operations, 1 << 3 | 1 << 8);
  EXPECT_EQ(answer.cluster_authorized_operations, 0);
  for (const size_t i : {1u, 2u}) {
    EXPECT_EQ(answer.topics[i].error_code, kTopicError);
    EXPECT_TRUE(answer.topics[i].topic_id.IsZero());
    EXPECT_THAT(answer.topics[i].partitions, IsEmpty());
  }
  EXPECT_THAT(cluster_.controller.created, IsEmpty());
}

// A refusal would be final for many a client.
TEST_F(Guards, BeforeThereAreRulesAConnectionEnds) {
  cluster_.metadata.Set(std::make_shared<const metadata::Image>());
  EXPECT_FALSE(Ask<kafka::MetadataResponse>(kafka::MetadataRequest(), 9));
  EXPECT_THAT(lines_, IsEmpty());
}

// The controllers may know what this broker does not know yet.
TEST_F(Guards, WhatIsNotHereIsDeletedByWhoMayDeleteItOnly) {
  Allow(kDescribe, AclResource::kTopic, "later");
  int passed_on = 0;
  cluster_.controller.on_delete = [&](const admin::v1::DeleteTopicsRequest&)
      -> Result<admin::v1::DeleteTopicsResponse> {
    ++passed_on;
    return Fail(ErrorCode::kRequestTimedOut);
  };
  kafka::DeleteTopicsRequest request;
  request.timeout_ms = 1000;
  request.topics.push_back({"later", Uuid{}});
  request.topics.push_back({std::nullopt, TestCluster::TopicId(9)});
  request.topics.push_back({"hidden", Uuid{}});
  const auto answer = Ask<kafka::DeleteTopicsResponse>(request, 6).value();
  ASSERT_THAT(answer.responses, SizeIs(3));
  std::multiset<int16_t> codes;
  for (const auto& topic : answer.responses) codes.insert(topic.error_code);
  EXPECT_EQ(codes, (std::multiset<int16_t>{3, kTopicError, 100}));
  EXPECT_EQ(passed_on, 0);
}

TEST_F(Guards, VersionZeroOfMetadataDoesNotTakeNoneForAll) {
  Allow(kRead, AclResource::kTopic, "orders");
  kafka::MetadataRequest request;
  request.topics.emplace();
  request.topics->push_back({Uuid{}, "secret"});
  const auto answer = Ask<kafka::MetadataResponse>(request, 0).value();
  ASSERT_THAT(answer.topics, SizeIs(1));
  EXPECT_EQ(answer.topics[0].name, "secret");
  EXPECT_EQ(answer.topics[0].error_code, kTopicError);
}

TEST_F(Guards, ATopicIsMadeByWhoMayCreateIt) {
  kafka::MetadataRequest request;
  request.topics.emplace();
  request.topics->push_back({Uuid{}, "new"});
  Allow(kDescribe, AclResource::kTopic, "new");
  EXPECT_EQ(Ask<kafka::MetadataResponse>(request, 9)->topics[0].error_code,
            kTopicError);
  EXPECT_THAT(cluster_.controller.created, IsEmpty());
  Allow(kCreate, AclResource::kTopic, "new");
  Ask<kafka::MetadataResponse>(request, 9);
  EXPECT_THAT(cluster_.controller.created, SizeIs(1));

  kafka::CreateTopicsRequest create;
  create.topics.push_back({.name = "other"});
  EXPECT_EQ(Ask<kafka::CreateTopicsResponse>(create, 7)->topics[0].error_code,
            kTopicError);
  EXPECT_THAT(cluster_.controller.created, SizeIs(1));
  Allow(kCreate, AclResource::kCluster, metadata::kClusterName);
  Ask<kafka::CreateTopicsResponse>(create, 7);
  EXPECT_THAT(cluster_.controller.created, SizeIs(2));
}

TEST_F(Guards, WhatIsRefusedStandsBesideWhatIsNot) {
  kafka::DeleteTopicsRequest request;
  request.topics.push_back({"secret", Uuid{}});
  request.topics.push_back({"orders", Uuid{}});
  request.topics.push_back({std::nullopt, TestCluster::TopicId(2)});
  Allow(kDelete, AclResource::kTopic, "orders");
  std::vector<std::string> deleted;
  cluster_.controller.on_delete = [&](const admin::v1::DeleteTopicsRequest& ask)
      -> Result<admin::v1::DeleteTopicsResponse> {
    admin::v1::DeleteTopicsResponse response;
    for (const auto& name : ask.names()) {
      deleted.push_back(name);
      response.add_topics()->set_name(name);
    }
    EXPECT_EQ(ask.topic_ids_size(), 0);
    return response;
  };
  const auto answer = Ask<kafka::DeleteTopicsResponse>(request, 6).value();
  EXPECT_THAT(deleted, ElementsAre("orders"));
  ASSERT_THAT(answer.responses, SizeIs(3));
  EXPECT_EQ(answer.responses[0].name, "orders");
  EXPECT_EQ(answer.responses[0].error_code, 0);
  EXPECT_EQ(answer.responses[1].name, "secret");
  EXPECT_EQ(answer.responses[1].error_code, kTopicError);
  EXPECT_EQ(answer.responses[2].name, std::nullopt) << "it is not told";
  EXPECT_EQ(answer.responses[2].error_code, kTopicError);
}

TEST_F(Guards, MembersReadForTheirGroup) {
  kafka::JoinGroupRequest request;
  request.group_id = "g";
  EXPECT_EQ(Ask<kafka::JoinGroupResponse>(request, 5)->error_code, kGroupError);
}

TEST_F(Guards, WithoutAnAnswerTheConnectionTellsOfARefusal) {
  kafka::ProduceRequest request;
  request.acks = 0;
  request.topic_data.push_back({"orders", {{0, SharedBytes("x")}}});
  EXPECT_FALSE(Ask<kafka::ProduceResponse>(request, 9));
  request.acks = 1;
  const auto answer = Ask<kafka::ProduceResponse>(request, 9).value();
  EXPECT_EQ(answer.responses[0].partition_responses[0].error_code, kTopicError);
}

TEST_F(Guards, SettingsOfBrokersAreTheClusters) {
  Allow(kDescribeConfigs, AclResource::kTopic, "orders");
  kafka::DescribeConfigsRequest request;
  request.resources.push_back({2, "orders", {}});
  request.resources.push_back({4, "1", {}});
  const auto answer = Ask<kafka::DescribeConfigsResponse>(request, 4).value();
  ASSERT_THAT(answer.results, SizeIs(2));
  EXPECT_EQ(answer.results[0].error_code, 0);
  EXPECT_EQ(answer.results[1].error_code, kClusterError);
  EXPECT_THAT(answer.results[1].configs, IsEmpty());
}

TEST_F(Guards, DenialsAndWhatAdministratorsDoAreWrittenDown) {
  Allow(kCreate, AclResource::kTopic, "new");
  Allow(kRead, AclResource::kTopic, "orders");
  kafka::CreateTopicsRequest create;
  create.topics.push_back({.name = "new"});
  create.topics.push_back({.name = "se\"cret\n"});
  clock_.now_ms = 1'767'225'599'042;
  Ask<kafka::CreateTopicsResponse>(create, 7);
  ASSERT_THAT(lines_, SizeIs(2));
  EXPECT_EQ(
      lines_[0],
      "time=2025-12-31T23:59:59.042Z outcome=allowed "
      "principal=\"User:ANONYMOUS\" host=127.0.0.1 operation=CREATE "
      "resource=TOPIC name=\"new\" request=CreateTopics client_id=\"app\" "
      "rule=\"TOPIC:LITERAL:new User:ANONYMOUS ALLOW CREATE from "
      "127.0.0.1\"");
  EXPECT_THAT(lines_[1],
              AllOf(HasSubstr("outcome=denied"), HasSubstr("DefaultDeny"),
                    HasSubstr("\\x0a"), Not(HasSubstr("\n"))));
}

TEST_F(Guards, DenialsThatAreTooManyAreCounted) {
  kafka::JoinGroupRequest request;
  request.group_id = "g";
  for (int i = 0; i < AuditLog::kDenialsPerSecond + 5; ++i) {
    Ask<kafka::JoinGroupResponse>(request, 5);
  }
  EXPECT_THAT(lines_, SizeIs(AuditLog::kDenialsPerSecond));
  clock_.now_ms = 1000;
  Ask<kafka::JoinGroupResponse>(request, 5);
  EXPECT_THAT(lines_.back(), HasSubstr("denials_not_written=5"));
}

TEST_F(Guards, RulesAreMadeAndDeletedByTheControllers) {
  Allow(kAlter, AclResource::kCluster, metadata::kClusterName);
  std::vector<metadata::Acl> asked;
  cluster_.controller.on_create_acls =
      [&](const admin::v1::CreateAclsRequest& ask)
      -> Result<admin::v1::CreateAclsResponse> {
    admin::v1::CreateAclsResponse response;
    for (const auto& acl : ask.acls()) {
      asked.push_back(metadata::FromMessage(acl));
      response.add_results();
    }
    return response;
  };
  kafka::CreateAclsRequest request;
  request.creations.push_back({2, "t", 3, "User:b", "*", 3, 3});
  request.creations.push_back({2, "", 3, "User:b", "*", 3, 3});
  request.creations.push_back({2, "\xff", 3, "User:b", "*", 3, 3});
  request.creations.push_back({4, "kafka", 3, "User:b", "*", 3, 3});
  request.creations.push_back({2, "t", 4, "User:c", "*", 2, 2});
  const auto answer = Ask<kafka::CreateAclsResponse>(request, 3).value();
  std::vector<int16_t> codes;
  for (const auto& result : answer.results) codes.push_back(result.error_code);
  constexpr int16_t kInvalidRequest = 42;
  EXPECT_THAT(codes, ElementsAre(0, kInvalidRequest, kInvalidRequest,
                                 kInvalidRequest, 0));
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_EQ(asked[1].resource.pattern, metadata::AclPattern::kPrefixed);

  cluster_.controller.on_delete_acls =
      [&](const admin::v1::DeleteAclsRequest& ask)
      -> Result<admin::v1::DeleteAclsResponse> {
    admin::v1::DeleteAclsResponse response;
    for (int i = 0; i < ask.filters_size(); ++i) {
      metadata::ToMessage(asked[0], response.add_results()->add_acls());
    }
    return response;
  };
  kafka::DeleteAclsRequest remove;
  remove.filters.push_back({2, "t", 3, std::nullopt, std::nullopt, 1, 1});
  remove.filters.push_back({0, "t", 3, std::nullopt, std::nullopt, 1, 1});
  remove.filters.push_back({2, "\xff", 3, std::nullopt, std::nullopt, 1, 1});
  const auto gone = Ask<kafka::DeleteAclsResponse>(remove, 3).value();
  ASSERT_THAT(gone.filter_results, SizeIs(3));
  EXPECT_EQ(gone.filter_results[0].matching_acls.at(0).principal, "User:b");
  EXPECT_EQ(gone.filter_results[1].error_code, kInvalidRequest);
  EXPECT_EQ(gone.filter_results[2].error_code, 0);
  EXPECT_THAT(gone.filter_results[2].matching_acls, IsEmpty());
}

TEST_F(Guards, RulesAreDescribedByResource) {
  Allow(kDescribe, AclResource::kCluster, metadata::kClusterName);
  Allow(kRead, AclResource::kTopic, "orders");
  Allow(kWrite, AclResource::kTopic, "orders");
  kafka::DescribeAclsRequest request;
  request.resource_type_filter = 2;
  request.pattern_type_filter = 1;
  request.operation = 1;
  request.permission_type = 1;
  auto answer = Ask<kafka::DescribeAclsResponse>(request, 3).value();
  ASSERT_THAT(answer.resources, SizeIs(1));
  EXPECT_EQ(answer.resources[0].resource_name, "orders");
  EXPECT_THAT(answer.resources[0].acls, SizeIs(2));
  request.operation = 0;
  EXPECT_EQ(Ask<kafka::DescribeAclsResponse>(request, 3)->error_code, 42);
}

TEST_F(Guards, WithoutAnAuthorizerEverythingIsAllowedAndNothingWritten) {
  cluster_.services.authorizer = nullptr;
  kafka::MetadataRequest all;
  EXPECT_THAT(Ask<kafka::MetadataResponse>(all, 9)->topics, SizeIs(2));
  EXPECT_EQ(Ask<kafka::DescribeAclsResponse>(kafka::DescribeAclsRequest(), 3)
                ->error_code,
            54);
  kafka::CreateAclsRequest create;
  create.creations.push_back({2, "t", 3, "User:b", "*", 3, 3});
  EXPECT_EQ(Ask<kafka::CreateAclsResponse>(create, 3)->results.at(0).error_code,
            54);
  kafka::DeleteAclsRequest remove;
  remove.filters.emplace_back();
  EXPECT_EQ(Ask<kafka::DeleteAclsResponse>(remove, 3)
                ->filter_results.at(0)
                .error_code,
            54);
  EXPECT_THAT(lines_, IsEmpty());
}

}  // namespace
}  // namespace tidemark::server
