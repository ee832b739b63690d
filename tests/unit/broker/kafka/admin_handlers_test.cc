// What administrators ask a broker: about its disks, its partitions' leaders,
// records that are to go.
#include <gmock/gmock.h>

#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/alter_replica_log_dirs.h"
#include "common/kafka/messages/delete_records.h"
#include "common/kafka/messages/describe_log_dirs.h"
#include "common/kafka/messages/elect_leaders.h"
#include "common/kafka/messages/list_transactions.h"
#include "common/kafka/messages/unregister_broker.h"
#include "tests/unit/broker/coordinator/fakes.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

int16_t Code(ErrorCode code) { return static_cast<int16_t>(code); }

// Answers what it is told to.
class Replicas final : public coordinator::FakeReplicas {
 public:
  using FakeReplicas::FakeReplicas;
  void DeleteRecords(const TopicPartition& partition, Offset before, Duration,
                     Executor&,
                     std::function<void(Result<Offset>)> done) override {
    deleted.emplace_back(partition, before);
    if (partition.partition > 1) {
      return done(Fail(ErrorCode::kNotLeaderOrFollower));
    }
    done(before);
  }
  void DescribeReplicas(
      Executor&,
      std::function<void(std::vector<replication::ReplicaSize>)> done)
      override {
    done(sizes);
  }

  std::vector<std::pair<TopicPartition, Offset>> deleted;
  std::vector<replication::ReplicaSize> sizes;
};

class AdminHandlersTest : public testing::Test {
 protected:
  AdminHandlersTest() {
    cluster_.services.replicas = &replicas_;
    cluster_.services.log_directories = [this] { return directories_; };
    cluster_.AddTopic("orders", 1);
    cluster_.AddPartition(1, 0, {1, 2}, {1, 2}, 1);
    cluster_.AddTopic("__consumer_offsets", 2);
    cluster_.AddTopic("compacted", 3);
    cluster_.SetConfig(metadata::v1::TOPIC, "compacted", "cleanup.policy",
                       "compact");
  }
  struct Gone {
    std::string topic;
    int32_t partition;
    int64_t offset;
  };
  kafka::DeleteRecordsResponse Delete(const std::vector<Gone>& gone) {
    kafka::DeleteRecordsRequest request;
    for (const Gone& one : gone) {
      request.topics.push_back({one.topic, {{one.partition, one.offset}}});
    }
    return cluster_.Ask(&HandleDeleteRecords, request, 2);
  }

  TestCluster cluster_;
  coordinator::ManualExecutor executor_;
  Replicas replicas_{executor_};
  std::vector<LogDirectoryState> directories_;
};

TEST_F(AdminHandlersTest, RecordsAreDeletedWhereTheyMayBe) {
  const auto response = Delete({{"orders", 0, 5},
                                {"orders", 2, 7},
                                {"__consumer_offsets", 0, 1},
                                {"compacted", 0, 1},
                                {"unheard", 0, 1}});
  ASSERT_EQ(response.topics.size(), 4u);
  const auto& orders = response.topics[0].partitions;
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[0].low_watermark, 5);
  EXPECT_EQ(orders[0].error_code, 0);
  EXPECT_EQ(orders[1].low_watermark, -1);
  EXPECT_EQ(orders[1].error_code, Code(ErrorCode::kNotLeaderOrFollower));
  EXPECT_EQ(response.topics[1].partitions[0].error_code,
            Code(ErrorCode::kInvalidTopicException));
  EXPECT_EQ(response.topics[2].partitions[0].error_code,
            Code(ErrorCode::kPolicyViolation));
  EXPECT_EQ(response.topics[3].partitions[0].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(replicas_.deleted.size(), 2u) << "the others are not asked";
}

TEST_F(AdminHandlersTest, OfAPartitionNamedTwiceTheLastCounts) {
  const auto response = Delete({{"orders", 0, 5}, {"orders", 0, 3}});
  ASSERT_EQ(response.topics.size(), 1u);
  ASSERT_EQ(response.topics[0].partitions.size(), 1u);
  EXPECT_EQ(response.topics[0].partitions[0].low_watermark, 3);
}

TEST_F(AdminHandlersTest, DirectoriesWithTheirReplicas) {
  directories_ = {{"/one", "", 1000, 400}, {"/two", "it is broken", -1, -1}};
  replicas_.sizes = {{{"orders", 1}, "/one", 70, 0},
                     {{"orders", 0}, "/one", 50, 3},
                     {{"other", 0}, "/one", 1, 0},
                     {{"orders", 2}, "/two", 1, 0}};
  kafka::DescribeLogDirsRequest request;
  auto response = cluster_.Ask(&HandleDescribeLogDirs, request, 4);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].log_dir, "/one");
  EXPECT_EQ(response.results[0].total_bytes, 1000);
  EXPECT_EQ(response.results[0].usable_bytes, 400);
  ASSERT_EQ(response.results[0].topics.size(), 2u);
  EXPECT_EQ(response.results[0].topics[0].name, "orders");
  EXPECT_EQ(response.results[0].topics[0].partitions[1].partition_size, 50);
  EXPECT_EQ(response.results[0].topics[0].partitions[1].offset_lag, 3);
  EXPECT_EQ(response.results[1].error_code,
            Code(ErrorCode::kKafkaStorageError));
  EXPECT_THAT(response.results[1].topics, IsEmpty());

  request.topics.emplace();
  request.topics->push_back({"orders", {1, 9}});
  response = cluster_.Ask(&HandleDescribeLogDirs, request, 4);
  ASSERT_EQ(response.results[0].topics.size(), 1u);
  ASSERT_EQ(response.results[0].topics[0].partitions.size(), 1u);
  EXPECT_EQ(response.results[0].topics[0].partitions[0].partition_index, 1);
}

TEST_F(AdminHandlersTest, ReplicasThatMoveAreInTwoDirectories) {
  directories_ = {{"/one"}, {"/two"}};
  cluster_.services.future_replicas = [] {
    return std::vector<FutureReplica>{{{"orders", 0}, "/two", 40, 70},
                                      {{"orders", 1}, "/one", 40, 70},
                                      {{"orders", 5}, "/two", 1, 1}};
  };
  replicas_.sizes = {{{"orders", 0}, "/one", 100, 0, 90},
                     {{"orders", 1}, "/one", 100, 0, 90}};
  const auto response =
      cluster_.Ask(&HandleDescribeLogDirs, kafka::DescribeLogDirsRequest{}, 4);
  ASSERT_EQ(response.results.size(), 2u);
  const auto& here = response.results[0].topics.at(0).partitions;
  ASSERT_EQ(here.size(), 2u) << "one is there by now";
  EXPECT_FALSE(here[0].is_future_key || here[1].is_future_key);
  const auto& there = response.results[1].topics.at(0).partitions;
  ASSERT_EQ(there.size(), 1u) << "without a replica there is none";
  EXPECT_TRUE(there[0].is_future_key);
  EXPECT_EQ(there[0].partition_size, 40);
  EXPECT_EQ(there[0].offset_lag, 20);
}

TEST_F(AdminHandlersTest, ReplicasAreMovedEachWhereItWasLastSaid) {
  kafka::AlterReplicaLogDirsRequest request;
  request.dirs.push_back({"/one", {{"b", {1, 0}}, {"a", {2}}}});
  request.dirs.push_back({"/two", {{"b", {1}}}});
  auto response = cluster_.Ask(&HandleAlterReplicaLogDirs, request, 2);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].partitions.at(0).error_code,
            Code(ErrorCode::kKafkaStorageError))
      << "nobody moves any";
  std::vector<std::pair<TopicPartition, std::string>> asked;
  cluster_.services.move_replicas = [&](auto wanted, const auto& done) {
    asked = wanted;
    done({ErrorCode::kNone, ErrorCode::kLogDirNotFound,
          ErrorCode::kReplicaNotAvailable});
  };
  response = cluster_.Ask(&HandleAlterReplicaLogDirs, request, 2);
  EXPECT_THAT(asked,
              testing::ElementsAre(std::pair(TopicPartition{"a", 2}, "/one"),
                                   std::pair(TopicPartition{"b", 0}, "/one"),
                                   std::pair(TopicPartition{"b", 1}, "/two")));
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].topic_name, "a");
  ASSERT_EQ(response.results[1].partitions.size(), 2u);
  EXPECT_EQ(response.results[1].partitions[0].error_code, 57);
  EXPECT_EQ(response.results[1].partitions[1].error_code, 9);
}

TEST_F(AdminHandlersTest, LeadersAreElected) {
  admin::v1::ElectLeadersResponse elected;
  for (int partition : {0, 1}) {
    auto* result = elected.add_partitions();
    result->set_topic("orders");
    result->set_partition(partition);
    result->set_code(partition == 0 ? 0 : 84);
    result->set_message(partition == 0 ? "" : "not needed");
  }
  cluster_.controller.elected = elected;
  kafka::ElectLeadersRequest request;
  request.election_type = 1;
  request.topic_partitions.emplace();
  request.topic_partitions->push_back({"orders", {0, 1}});
  auto response = cluster_.Ask(&HandleElectLeaders, request, 2);
  EXPECT_EQ(response.error_code, 0);
  ASSERT_EQ(response.replica_election_results.size(), 1u);
  const auto& results = response.replica_election_results[0].partition_result;
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].error_message, std::nullopt);
  EXPECT_EQ(results[1].error_code, 84);
  ASSERT_EQ(cluster_.controller.elections.size(), 1u);
  EXPECT_TRUE(cluster_.controller.elections[0].unclean());
  EXPECT_EQ(cluster_.controller.elections[0].partitions_size(), 2);
}

TEST_F(AdminHandlersTest, NoPartitionsAreNotAllPartitions) {
  kafka::ElectLeadersRequest request;
  request.topic_partitions.emplace();
  EXPECT_EQ(cluster_.Ask(&HandleElectLeaders, request, 2).error_code, 0);
  EXPECT_THAT(cluster_.controller.elections, IsEmpty());
  request.topic_partitions.reset();
  EXPECT_EQ(cluster_.Ask(&HandleElectLeaders, request, 2).error_code, 0);
  EXPECT_EQ(cluster_.controller.elections.size(), 1u);
}

TEST_F(AdminHandlersTest, ElectionsThatAreNoneAreRefused) {
  kafka::ElectLeadersRequest request;
  request.election_type = 7;
  EXPECT_EQ(cluster_.Ask(&HandleElectLeaders, request, 2).error_code,
            Code(ErrorCode::kInvalidRequest));
  request.election_type = 0;
  cluster_.controller.elected = Fail(ErrorCode::kRequestTimedOut);
  EXPECT_EQ(cluster_.Ask(&HandleElectLeaders, request, 2).error_code,
            Code(ErrorCode::kRequestTimedOut));
}

TEST_F(AdminHandlersTest, AnExpressionThatIsNoneIsRefused) {
  kafka::ListTransactionsRequest request;
  request.transactional_id_pattern = "(";
  EXPECT_EQ(cluster_.Ask(&HandleListTransactions, request, 2).error_code,
            Code(ErrorCode::kInvalidRegularExpression));
  // Small to write, large to match.
  request.transactional_id_pattern = "(((a{10}){10}){10})";
  EXPECT_EQ(cluster_.Ask(&HandleListTransactions, request, 2).error_code,
            Code(ErrorCode::kInvalidRegularExpression));
  request.transactional_id_pattern = "pay(ments|roll)-.*";
  EXPECT_EQ(cluster_.Ask(&HandleListTransactions, request, 2).error_code, 0);
}

TEST_F(AdminHandlersTest, BrokersAreUnregistered) {
  kafka::UnregisterBrokerRequest request;
  request.broker_id = 3;
  EXPECT_EQ(cluster_.Ask(&HandleUnregisterBroker, request, 0).error_code, 0);
  EXPECT_THAT(cluster_.controller.unregistered, ElementsAre(3));
  cluster_.controller.unregister_failure = {ErrorCode::kBrokerIdNotRegistered,
                                            "no broker 3"};
  const auto response = cluster_.Ask(&HandleUnregisterBroker, request, 0);
  EXPECT_EQ(response.error_code, Code(ErrorCode::kBrokerIdNotRegistered));
  EXPECT_EQ(response.error_message, "no broker 3");
}

}  // namespace
}  // namespace tidemark::server
