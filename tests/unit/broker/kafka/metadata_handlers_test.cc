// What clients are told of brokers, topics and partitions.
#include <gmock/gmock.h>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/metadata.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MetadataTest : public testing::Test {
 protected:
  MetadataTest() { AddTopics(cluster_); }

  static void AddTopics(TestCluster& cluster) {
    cluster.AddTopic("orders", 1);
    cluster.AddPartition(1, 0, {1, 2, 3}, {1, 2}, 1);
    cluster.AddPartition(1, 1, {2, 3}, {2}, -1);
    cluster.AddPartition(1, 2, {3, 1}, {3}, 3);
    cluster.AddTopic("__consumer_offsets", 2);
    cluster.AddPartition(2, 0, {1}, {1}, 1);
  }

  static kafka::MetadataRequest For(std::vector<std::string> names) {
    kafka::MetadataRequest request;
    request.topics.emplace();
    for (auto& name : names) {
      request.topics->emplace_back().name = std::move(name);
    }
    return request;
  }

  TestCluster cluster_;
};

TEST_F(MetadataTest, ListsLiveBrokersAtTheListenerOfTheRequest) {
  auto response = cluster_.Ask(&HandleMetadata, For({}), 12);
  ASSERT_EQ(response.brokers.size(), 2u);
  EXPECT_EQ(response.brokers[0].node_id, 1);
  EXPECT_EQ(response.brokers[0].host, "host1");
  EXPECT_EQ(response.brokers[0].port, 9091);
  EXPECT_EQ(response.brokers[0].rack, std::nullopt);
  EXPECT_EQ(response.brokers[1].rack, "r2");
  EXPECT_EQ(response.controller_id, 1);
  EXPECT_EQ(response.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
  EXPECT_THAT(response.topics, IsEmpty());
}

TEST_F(MetadataTest, NullAsksForAllAndEmptyForNoneExceptInVersionZero) {
  kafka::MetadataRequest all;
  EXPECT_EQ(cluster_.Ask(&HandleMetadata, all, 1).topics.size(), 2u);
  EXPECT_EQ(cluster_.Ask(&HandleMetadata, For({}), 1).topics.size(), 0u);
  EXPECT_EQ(cluster_.Ask(&HandleMetadata, For({}), 0).topics.size(), 2u);
}

TEST_F(MetadataTest, PartitionsWithoutALiveLeaderAreNotAvailable) {
  auto topic = cluster_.Ask(&HandleMetadata, For({"orders"}), 12).topics.at(0);
  EXPECT_EQ(topic.topic_id, TestCluster::TopicId(1));
  EXPECT_FALSE(topic.is_internal);
  ASSERT_EQ(topic.partitions.size(), 3u);
  EXPECT_EQ(topic.partitions[0].error_code, 0);
  EXPECT_EQ(topic.partitions[0].leader_id, 1);
  EXPECT_EQ(topic.partitions[0].leader_epoch, 5);
  EXPECT_THAT(topic.partitions[0].offline_replicas, ElementsAre(3));
  EXPECT_EQ(topic.partitions[1].error_code, 5);
  EXPECT_EQ(topic.partitions[1].leader_id, -1);
  EXPECT_EQ(topic.partitions[2].error_code, 5);  // leader is fenced
  EXPECT_EQ(topic.partitions[2].leader_id, -1);
}

TEST_F(MetadataTest, VersionZeroNamesOnlyLiveReplicas) {
  auto topic = cluster_.Ask(&HandleMetadata, For({"orders"}), 0).topics.at(0);
  EXPECT_THAT(topic.partitions.at(0).replica_nodes, ElementsAre(1, 2));
  EXPECT_EQ(topic.partitions.at(0).error_code, 9);
}

TEST_F(MetadataTest, AListenerThatBrokersLackIsSaidByVersion) {
  auto ask = [&](int16_t version) {
    auto context = cluster_.Context(version);
    context.listener = "OTHER";
    kafka::MetadataResponse response;
    HandleMetadata(context, For({"orders"}),
                   [&](kafka::MetadataResponse r) { response = r; });
    return response;
  };
  EXPECT_THAT(ask(5).brokers, IsEmpty());
  EXPECT_EQ(ask(5).controller_id, -1);
  EXPECT_EQ(ask(5).topics.at(0).partitions.at(0).error_code, 5);
  EXPECT_EQ(ask(6).topics.at(0).partitions.at(0).error_code, 72);
}

TEST_F(MetadataTest, TopicsByIdFromVersionTwelveOn) {
  kafka::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().topic_id = TestCluster::TopicId(1);
  request.topics->emplace_back().topic_id = TestCluster::TopicId(9);
  auto response = cluster_.Ask(&HandleMetadata, request, 12);
  ASSERT_EQ(response.topics.size(), 2u);
  EXPECT_EQ(response.topics[0].name, "orders");
  EXPECT_EQ(response.topics[1].error_code, 100);
  EXPECT_EQ(response.topics[1].name, std::nullopt);
  response = cluster_.Ask(&HandleMetadata, request, 11);
  EXPECT_EQ(response.topics.at(0).error_code, 42);
}

TEST_F(MetadataTest, AskingTwiceAnswersOnce) {
  EXPECT_EQ(
      cluster_.Ask(&HandleMetadata, For({"orders", "orders"}), 9).topics.size(),
      1u);
}

TEST_F(MetadataTest, IllegalNamesAreNotCreated) {
  for (const std::string& name :
       {std::string("a b"), std::string(""), std::string("."),
        std::string(".."), std::string(250, 'a')}) {
    auto response = cluster_.Ask(&HandleMetadata, For({name}), 9);
    EXPECT_EQ(response.topics.at(0).error_code, 17) << name;
  }
  EXPECT_THAT(cluster_.controller.created, IsEmpty());
}

TEST_F(MetadataTest, UnknownTopicsAreCreatedOnlyWhenAllowed) {
  kafka::MetadataRequest request = For({"new"});
  request.allow_auto_topic_creation = false;
  auto response = cluster_.Ask(&HandleMetadata, request, 4);
  EXPECT_EQ(response.topics.at(0).error_code, 3);
  EXPECT_THAT(cluster_.controller.created, IsEmpty());

  TestCluster off({"auto.create.topics.enable=false"});
  EXPECT_EQ(off.Ask(&HandleMetadata, For({"new"}), 4).topics.at(0).error_code,
            3);
  EXPECT_THAT(off.controller.created, IsEmpty());
}

TEST_F(MetadataTest, ACreatedTopicIsInTheAnswer) {
  TestCluster cluster({"num.partitions=4"});
  cluster.controller.on_create =
      [&](const admin::v1::CreateTopicsRequest& request) {
        EXPECT_EQ(request.topics(0).partitions(), 4);
        EXPECT_EQ(request.topics(0).replication_factor(), -1);
        // The image follows a little later than the answer.
        cluster.executor.PostAfter(std::chrono::milliseconds(30), [&] {
          cluster.AddTopic("new", 5);
          cluster.AddPartition(5, 0, {1}, {1}, 1);
        });
        admin::v1::CreateTopicsResponse response;
        response.add_topics()->set_name("new");
        return response;
      };
  auto response = cluster.Ask(&HandleMetadata, For({"new"}), 12);
  EXPECT_EQ(response.topics.at(0).error_code, 0);
  EXPECT_EQ(response.topics.at(0).partitions.size(), 1u);
}

TEST_F(MetadataTest, ACreationThatDoesNotShowIsToBeAskedForAgain) {
  cluster_.controller.on_create = [](const auto&) {
    admin::v1::CreateTopicsResponse response;
    response.add_topics()->set_name("new");
    return response;
  };
  EXPECT_EQ(
      cluster_.Ask(&HandleMetadata, For({"new"}), 12).topics.at(0).error_code,
      5);
  cluster_.controller.on_create = nullptr;  // no controller
  EXPECT_EQ(
      cluster_.Ask(&HandleMetadata, For({"new"}), 12).topics.at(0).error_code,
      5);
  cluster_.controller.on_create = [](const auto&) {
    admin::v1::CreateTopicsResponse response;
    response.add_topics()->set_name("new");
    response.mutable_topics(0)->set_code(38);
    return response;
  };
  EXPECT_EQ(
      cluster_.Ask(&HandleMetadata, For({"new"}), 12).topics.at(0).error_code,
      38);
}

TEST_F(MetadataTest, InternalTopicsAreMarkedAndNotAutoCreated) {
  EXPECT_TRUE(cluster_.Ask(&HandleMetadata, For({"__consumer_offsets"}), 9)
                  .topics.at(0)
                  .is_internal);
  EXPECT_EQ(cluster_.Ask(&HandleMetadata, For({"__transaction_state"}), 9)
                .topics.at(0)
                .error_code,
            3);
  EXPECT_THAT(cluster_.controller.created, IsEmpty());
}

TEST_F(MetadataTest, OperationsAreListedOnlyWhenAskedFor) {
  auto request = For({"orders"});
  auto plain = cluster_.Ask(&HandleMetadata, request, 8);
  EXPECT_EQ(plain.cluster_authorized_operations, INT32_MIN);
  EXPECT_EQ(plain.topics.at(0).topic_authorized_operations, INT32_MIN);
  request.include_cluster_authorized_operations = true;
  request.include_topic_authorized_operations = true;
  auto full = cluster_.Ask(&HandleMetadata, request, 8);
  EXPECT_EQ(full.cluster_authorized_operations, 8096);
  EXPECT_EQ(full.topics.at(0).topic_authorized_operations, 3576);
}

TEST_F(MetadataTest, DescribeClusterListsFencedBrokersOnRequest) {
  kafka::DescribeClusterRequest request;
  EXPECT_EQ(cluster_.Ask(&HandleDescribeCluster, request, 2).brokers.size(),
            2u);
  request.include_fenced_brokers = true;
  auto response = cluster_.Ask(&HandleDescribeCluster, request, 2);
  ASSERT_EQ(response.brokers.size(), 3u);
  EXPECT_TRUE(response.brokers[2].is_fenced);
  request.endpoint_type = 2;
  EXPECT_EQ(cluster_.Ask(&HandleDescribeCluster, request, 2).error_code, 114);
}

TEST_F(MetadataTest, DescribeTopicPartitionsPages) {
  kafka::DescribeTopicPartitionsRequest request;
  request.response_partition_limit = 2;
  std::vector<std::string> seen;
  for (int page = 0; page < 10; ++page) {
    auto response = cluster_.Ask(&HandleDescribeTopicPartitions, request, 0);
    for (const auto& topic : response.topics) {
      for (const auto& partition : topic.partitions) {
        seen.push_back(*topic.name + "-" +
                       std::to_string(partition.partition_index));
      }
    }
    if (!response.next_cursor) break;
    request.cursor = kafka::DescribeTopicPartitionsRequest::Cursor{
        response.next_cursor->topic_name,
        response.next_cursor->partition_index};
  }
  EXPECT_THAT(seen, ElementsAre("__consumer_offsets-0", "orders-0", "orders-1",
                                "orders-2"));
}

}  // namespace
}  // namespace tidemark::server
