// Logs are opened and removed while the shards go on.

#include <gmock/gmock.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class OpeningTest : public testing::Test {
 protected:
  static constexpr Duration kWork = milliseconds(100);

  OpeningTest() {
    for (const NodeId id : {1, 2}) cluster_.broker(id).logs.work_time = kWork;
  }
  void Delete(const Uuid& id) {
    metadata::v1::Record record;
    record.mutable_remove_topic()->set_topic_id(id.ToBytes());
    cluster_.Commit({record});
  }
  Stats StatsOf(NodeId id) { return cluster_.broker(id).replicas->stats(); }
  bool HasLog(NodeId id) {
    return cluster_.broker(id).logs.handed_out.contains(kT0);
  }

  TestCluster cluster_{2};
};

TEST_F(OpeningTest, APartitionIsThereWhenItsLogIs) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  EXPECT_EQ(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error,
            ErrorCode::kNotLeaderOrFollower)
      << "clients come again";
  EXPECT_EQ(StatsOf(1).offline, 0) << "nothing is broken";
  EXPECT_EQ(StatsOf(1).failed_produces, 1);
  cluster_.executor.RunFor(kWork);
  ASSERT_NE(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
}

TEST_F(OpeningTest, WhatTheImageSaysWhenTheLogComesCounts) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.Elect("t", 0, 2, {1, 2});
  cluster_.Elect("t", 0, 1, {1, 2});
  cluster_.executor.RunFor(kWork);
  EXPECT_TRUE(cluster_.Replica(1, kT0)->IsLeader());
  EXPECT_EQ(cluster_.Replica(1, kT0)->leader_epoch(), 2);
  EXPECT_EQ(cluster_.Replica(2, kT0)->leader_epoch(), 2);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
}

TEST_F(OpeningTest, ATopicThatIsDeletedMeanwhileLeavesNothing) {
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(kWork / 2);
  Delete(id);
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(cluster_.Replica(1, kT0), nullptr);
  EXPECT_FALSE(HasLog(1));
  EXPECT_FALSE(
      cluster_.broker(1).disk.Exists("/data/t-0/leader-epoch-checkpoint"));
  EXPECT_FALSE(cluster_.broker(1).disk.Exists("/data/t-0"));
  EXPECT_EQ(StatsOf(1).partitions, 0);
}

TEST_F(OpeningTest, TheSameNameIsAnotherTopicWhenTheLogComes) {
  Delete(cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2}));
  Delete(cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2}));
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_NE(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.Replica(1, kT0)->topic_id(), id);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().topic_id(), id);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").base_offset, 0);
  EXPECT_EQ(StatsOf(1).partitions, 1);
}

TEST_F(OpeningTest, ALogIsRemovedBeforeItsNameIsUsedAgain) {
  const Uuid old = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(kWork);
  ASSERT_EQ(cluster_.Produce(1, kT0, "old").error, ErrorCode::kNone);
  Delete(old);
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  EXPECT_EQ(cluster_.Replica(1, kT0), nullptr);
  cluster_.executor.RunFor(seconds(1));
  ASSERT_NE(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.Replica(1, kT0)->topic_id(), id);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 0);
}

TEST_F(OpeningTest, ALogThatDoesNotOpenIsTriedAgainAndCountsOnce) {
  cluster_.broker(1).logs.fail_open = true;
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(30));
  EXPECT_EQ(StatsOf(1).offline, 1);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kKafkaStorageError);
  cluster_.broker(1).logs.fail_open = false;
  cluster_.executor.RunFor(seconds(10));
  EXPECT_EQ(StatsOf(1).offline, 0);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
}

TEST_F(OpeningTest, OneThatIsFoundAfterItDidNotOpenIsNotOffline) {
  auto& logs = cluster_.broker(1).logs;
  logs.fail_open = true;
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(StatsOf(1).offline, 1);
  logs.found = true;
  cluster_.executor.RunFor(seconds(30));
  EXPECT_EQ(StatsOf(1).offline, 0);
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
}

TEST_F(OpeningTest, OneThatDoesNotOpenAndIsDeletedIsForgotten) {
  cluster_.broker(1).logs.fail_open = true;
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(StatsOf(1).offline, 1);
  Delete(id);
  EXPECT_EQ(StatsOf(1).offline, 0);
  const Uuid other = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.broker(1).logs.fail_open = false;
  cluster_.executor.RunFor(seconds(10));
  ASSERT_NE(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.Replica(1, kT0)->topic_id(), other);
}

TEST_F(OpeningTest, ACleanStopWaitsForLogsThatAreBeingOpened) {
  cluster_.CreateTopic("t", 3, {1, 2}, 1, {1, 2});
  std::optional<Status> closed;
  cluster_.broker(1).replicas->Close(1, [&](Status s) { closed = s; });
  cluster_.executor.RunFor(kWork / 2);
  EXPECT_FALSE(closed);
  cluster_.executor.RunFor(kWork);
  ASSERT_TRUE(closed);
  EXPECT_TRUE(*closed);
  EXPECT_EQ(cluster_.broker(1).logs.shut_down, 3u) << "all that were opened";
}

}  // namespace
}  // namespace tidemark::replication
