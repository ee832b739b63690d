// What only whole brokers show: what a fetch costs, sessions, hints, moves of
// leaders, and the way of ISR changes to the controller.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using Link = std::pair<NodeId, NodeId>;

class GuardsTest : public testing::Test {
 protected:
  int64_t Visits(NodeId at) {
    return cluster_.broker(at).replicas->stats().fetch_visits;
  }
  TestCluster cluster_{3};
};

TEST_F(GuardsTest, IdlePartitionsAreNotVisited) {
  cluster_.CreateTopic("t", 200, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(5));
  const int64_t before = Visits(1);
  cluster_.asked_partitions.clear();
  cluster_.executor.RunFor(seconds(60));
  EXPECT_EQ(Visits(1) - before, 0);
  EXPECT_EQ((cluster_.asked_partitions[Link{2, 1}]), 0u);
}

// Its followers' fetches are parked then, and are called back.
TEST_F(GuardsTest, APartitionThatIsMadeCostsNoOther) {
  cluster_.CreateTopic("t", 200, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(5));
  const int64_t before = Visits(1);
  cluster_.asked_partitions.clear();
  cluster_.CreateTopic("u", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(milliseconds(100));
  EXPECT_GE((cluster_.asked_partitions[Link{2, 1}]), 1u);
  EXPECT_LE((cluster_.asked_partitions[Link{2, 1}]), 4u);
  EXPECT_LE(Visits(1) - before, 8);
  const auto outcome = cluster_.Produce(1, {"u", 0}, "a");
  EXPECT_EQ(outcome.error, ErrorCode::kNone);
}

TEST_F(GuardsTest, ARecordCostsAsManyVisitsAmongManyPartitionsAsAmongFew) {
  std::vector<int64_t> visits;
  for (const int partitions : {2, 300}) {
    const std::string topic = "t" + std::to_string(partitions);
    cluster_.CreateTopic(topic, partitions, {1, 2, 3}, 1, {1, 2, 3});
    cluster_.executor.RunFor(seconds(5));
    const int64_t before = Visits(1);
    ASSERT_EQ(cluster_.Produce(1, {topic, 0}, "a").error, ErrorCode::kNone);
    cluster_.executor.RunFor(seconds(5));
    visits.push_back(Visits(1) - before);
  }
  EXPECT_EQ(visits[0], visits[1]);
  EXPECT_LE(visits[1], 14);
}

// B-18
TEST_F(GuardsTest, AFollowerThatIsIdleForAnHourIsNotLateWithTheNextRecord) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(minutes(60));
  cluster_.broker(2).logs.hold_syncs = true;
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  cluster_.executor.RunFor(seconds(20));
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr, SizeIs(3));
  cluster_.executor.RunFor(seconds(20));
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr, SizeIs(2));
}

TEST_F(GuardsTest, AFollowerOutsideTheIsrIsLookedAtUntilItIsIn) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1});
  cluster_.refuse_alters = 5;
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.refuse_alters, 0);
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr, SizeIs(2));
}

TEST_F(GuardsTest, AnIsrChangeWhoseRequestFailedIsSentAgain) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1});
  cluster_.fail_alters = 3;
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.fail_alters, 0);
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr, SizeIs(2));
}

TEST_F(GuardsTest, ManyIsrChangesGoInSeveralRequests) {
  cluster_.CreateTopic("t", 2500, {1, 2}, 1, {1});
  cluster_.executor.RunFor(seconds(10));
  EXPECT_LE(cluster_.largest_alter, 2000);
  EXPECT_EQ(cluster_.broker(1).replicas->stats().under_replicated, 0);
}

TEST_F(GuardsTest, ALeaderIsFollowedToItsNewAddress) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  metadata::v1::Record record;
  auto* broker = record.mutable_register_broker();
  broker->set_broker_id(1);
  broker->set_broker_epoch(1);
  broker->set_incarnation_id(TestUuid(1).ToBytes());
  broker->set_fenced(false);
  auto* endpoint = broker->add_endpoints();
  endpoint->set_name("PLAINTEXT");
  endpoint->set_host("moved");
  endpoint->set_port(1);
  cluster_.Commit({record});
  cluster_.executor.RunFor(seconds(1));
  EXPECT_TRUE(cluster_.connected_to.contains({2, "moved"}));
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
}

TEST_F(GuardsTest, AFetchAtTheWrongBrokerIsToldTheLeader) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  kafka::FetchRequest request;
  kafka::FetchRequest::FetchPartition asked;
  asked.partition_max_bytes = 100;
  request.topics.push_back({"", cluster_.image().FindTopic("t")->id, {asked}});
  FetchCall call;
  call.version = 16;
  call.listener = "PLAINTEXT";
  call.on = &cluster_.executor;
  std::optional<kafka::FetchResponse> response;
  cluster_.broker(2).fetch->Fetch(
      call, request, [&](kafka::FetchResponse r) { response = std::move(r); });
  cluster_.executor.Drain();
  ASSERT_TRUE(response);
  const auto& data = response->responses.at(0).partitions.at(0);
  EXPECT_EQ(data.current_leader.leader_id, 1);
  ASSERT_THAT(response->node_endpoints, SizeIs(1));
  EXPECT_EQ(response->node_endpoints[0].node_id, 1);
  EXPECT_EQ(response->node_endpoints[0].port, 1);
}

class SessionsTest : public testing::Test {
 protected:
  static kafka::FetchRequest Ask(std::vector<PartitionIndex> partitions) {
    kafka::FetchRequest request;
    request.session_epoch = 0;
    request.topics.push_back({"t", {}, {}});
    for (const PartitionIndex index : partitions) {
      request.topics[0].partitions.emplace_back().partition = index;
    }
    return request;
  }
  int32_t Open(bool follower = false,
               const std::vector<PartitionIndex>& partitions = {0}) {
    auto begun = cache_.Begin(Ask(partitions), false, follower, now_);
    CHECK(begun);
    begun->session->Update(Ask(partitions));
    cache_.Release(begun->session);
    now_ += seconds(1);
    return begun->session->id();
  }
  bool Has(int32_t id) {
    auto request = Ask({});
    request.session_id = id;
    request.session_epoch = 99;
    return cache_.Begin(request, false, false, now_).error().code !=
           ErrorCode::kFetchSessionIdNotFound;
  }

  FetchSessionCache cache_{
      {.sessions = 3, .partitions = 10}, 1, nullptr, [this](uint64_t list) {
        ended_.push_back(list);
      }};
  std::vector<uint64_t> ended_;
  Instant now_{seconds(1000)};
};

TEST_F(SessionsTest, AFullCacheGivesNoMoreSessions) {
  for (int i = 0; i < 3; ++i) EXPECT_NE(Open(), 0);
  EXPECT_EQ(Open(), 0);
  EXPECT_EQ(cache_.size(), 3u);
}

TEST_F(SessionsTest, TheSessionUnusedForLongestMakesRoom) {
  const int32_t first = Open(), second = Open(), third = Open();
  now_ += minutes(2) - seconds(3);
  EXPECT_NE(Open(), 0);
  EXPECT_FALSE(Has(first));
  EXPECT_TRUE(Has(second));
  EXPECT_TRUE(Has(third));
}

TEST_F(SessionsTest, AFollowerTakesTheRoomOfAConsumerNotOfAFollower) {
  const int32_t follower = Open(true), consumer = Open();
  Open();
  EXPECT_NE(Open(true), 0);
  EXPECT_TRUE(Has(consumer) == false);
  auto request = Ask({});
  request.session_id = follower;
  request.session_epoch = 1;
  EXPECT_TRUE(cache_.Begin(request, false, true, now_));
}

TEST_F(SessionsTest, PartitionsInSessionsOfConsumersAreBounded) {
  const int32_t first = Open(false, {0, 1, 2, 3, 4, 5});
  EXPECT_NE(first, 0);
  EXPECT_EQ(Open(false, {0, 1, 2, 3, 4}), 0) << "it can do without";
  EXPECT_NE(Open(false, {0, 0, 0, 0}), 0);
  EXPECT_NE(Open(true, {0, 1, 2, 3, 4}), 0) << "followers are no strangers";
  // What is asked for twice is counted once, when it is known.
  auto more = Ask({6, 7, 8});
  more.session_id = first;
  more.session_epoch = 1;
  auto begun = cache_.Begin(more, false, false, now_);
  ASSERT_TRUE(begun);
  begun->session->Update(more);
  cache_.Release(begun->session);
  more.session_epoch = 2;
  EXPECT_EQ(cache_.Begin(more, false, false, now_).error().code,
            ErrorCode::kFetchSessionIdNotFound)
      << "it has become too large";
  EXPECT_FALSE(Has(first));
  EXPECT_NE(Open(false, {0, 1, 2, 3, 4, 5, 6, 7, 8}), 0) << "its room is free";
}

TEST_F(SessionsTest, ALargeSessionTakesTheRoomOfThoseUnusedForLong) {
  const int32_t first = Open(false, {0, 1, 2, 3}), second = Open(false, {0, 1});
  now_ += minutes(2) - seconds(1);
  const int32_t third = Open(false, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_NE(third, 0);
  EXPECT_FALSE(Has(first));
  EXPECT_TRUE(Has(second));
}

TEST_F(SessionsTest, WhatIsForgottenIsGone) {
  auto begun = cache_.Begin(Ask({0, 1}), false, false, now_);
  EXPECT_THAT(begun->session->Update(Ask({0, 1})).asked, SizeIs(2));
  auto request = Ask({});
  request.topics.clear();
  request.forgotten_topics_data.push_back({"t", {}, {0, 7}});
  EXPECT_THAT(begun->session->Update(request).forgotten, SizeIs(1));
  EXPECT_EQ(begun->session->size(), 1u);
}

TEST_F(SessionsTest, TheShardsAreToldOfTheEndOfWhatTheyKnow) {
  {
    auto begun = cache_.Begin(Ask({0}), false, false, now_);
    begun->session->UseList();
    cache_.Release(begun->session);
    auto final = Ask({});
    final.session_id = begun->session->id();
    final.session_epoch = -1;
    EXPECT_TRUE(cache_.Begin(final, false, false, now_));
    EXPECT_THAT(ended_, IsEmpty()) << "still in use";
  }
  EXPECT_THAT(ended_, SizeIs(1));
}

}  // namespace
}  // namespace tidemark::replication
