// A follower's log is cut while its shard goes on.

#include <gmock/gmock.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CuttingTest : public testing::Test {
 protected:
  static constexpr Duration kWork = milliseconds(100);

  // 1 has taken a record that nobody else has; 2 leads now.
  void Diverge() {
    topic_ = cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
    ASSERT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
    cluster_.cut = {{2, 1}, {3, 1}};
    cluster_.executor.RunFor(seconds(1));  // fetches that are parked end
    ASSERT_EQ(cluster_.Produce(1, kT0, "lost", 1).error, ErrorCode::kNone);
    ASSERT_EQ(Mine()->log().end_offset(), 2);
    cluster_.broker(1).logs.work_time = kWork;
    cluster_.Elect("t", 0, 2, {2, 3});
    cluster_.cut.clear();
    cluster_.executor.RunFor(milliseconds(30));
  }
  Partition* Mine() { return cluster_.Replica(1, kT0); }
  void Delete(const Uuid& id) {
    metadata::v1::Record record;
    record.mutable_remove_topic()->set_topic_id(id.ToBytes());
    cluster_.Commit({record});
  }
  Stats stats() { return cluster_.broker(1).replicas->stats(); }
  TestLogStore& store() { return cluster_.broker(1).logs; }

  TestCluster cluster_{3};
  Uuid topic_;
};

TEST_F(CuttingTest, ALogIsCutElsewhereAndFetchedForAgain) {
  Diverge();
  ASSERT_TRUE(Mine()->away());
  EXPECT_EQ(Mine()->FollowerPosition(), std::nullopt);
  EXPECT_EQ(cluster_.Produce(1, kT0, "x").error,
            ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(stats().offline, 0);
  cluster_.executor.RunFor(2 * kWork);
  ASSERT_FALSE(Mine()->away());
  EXPECT_EQ(Mine()->log().end_offset(), 1);
  EXPECT_EQ(cluster_.Produce(2, kT0, "b").error, ErrorCode::kNone);
  cluster_.executor.RunFor(milliseconds(20));
  EXPECT_EQ(Mine()->log().end_offset(), 2) << "it waits for no parked fetch";
  EXPECT_EQ(store().changes, 1);
}

TEST_F(CuttingTest, ARowThatComesMeanwhileCountsWhenTheLogIsBack) {
  Diverge();
  ASSERT_TRUE(Mine()->away());
  cluster_.Elect("t", 0, 3, {2, 3});
  cluster_.Elect("t", 0, 1, {1, 2, 3});
  EXPECT_FALSE(Mine()->IsLeader());
  EXPECT_EQ(Mine()->leader_epoch(), 1);
  cluster_.executor.RunFor(2 * kWork);
  ASSERT_TRUE(Mine()->IsLeader());
  EXPECT_EQ(Mine()->leader_epoch(), 3);
  EXPECT_EQ(Mine()->log().end_offset(), 1) << "with the log that was cut";
  EXPECT_EQ(cluster_.Produce(1, kT0, "b").base_offset, 1);
}

TEST_F(CuttingTest, APartitionIsRemovedMeanwhile) {
  Diverge();
  ASSERT_TRUE(Mine()->away());
  Delete(topic_);
  EXPECT_EQ(Mine(), nullptr);
  EXPECT_EQ(stats().partitions, 0);
  cluster_.executor.RunFor(seconds(1));
  EXPECT_FALSE(store().handed_out.contains(kT0));
  EXPECT_FALSE(cluster_.broker(1).disk.Exists("/data/t-0"));
}

TEST_F(CuttingTest, TheNameIsFreeWhenTheLogIsBackAndRemoved) {
  Diverge();
  ASSERT_TRUE(Mine()->away());
  Delete(topic_);
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  EXPECT_EQ(Mine(), nullptr);
  cluster_.executor.RunFor(seconds(1));
  ASSERT_NE(Mine(), nullptr);
  EXPECT_EQ(Mine()->topic_id(), id);
  EXPECT_EQ(Mine()->log().end_offset(), 0);
  EXPECT_EQ(cluster_.Produce(1, kT0, "new").base_offset, 0);
}

TEST_F(CuttingTest, ACutThatFailsIsTriedAgainAfterAPause) {
  store().fail_changes = true;
  Diverge();
  store().work_time = Duration::zero();
  cluster_.executor.RunFor(seconds(3));
  EXPECT_GE(store().changes, 3);
  EXPECT_LE(store().changes, 15) << "not in a tight loop";
  EXPECT_EQ(Mine()->log().end_offset(), 2);
  store().fail_changes = false;
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(Mine()->log().end_offset(), 1);
}

TEST_F(CuttingTest, ACleanStopWaitsForTheLog) {
  Diverge();
  ASSERT_TRUE(Mine()->away());
  std::optional<Status> closed;
  cluster_.broker(1).replicas->Close(1, [&](Status s) { closed = s; });
  cluster_.executor.RunFor(kWork / 4);
  EXPECT_FALSE(closed);
  cluster_.executor.RunFor(kWork);
  ASSERT_TRUE(closed);
  EXPECT_EQ(store().shut_down, 1u);
}

TEST_F(CuttingTest, ADirectoryThatFailsMeanwhileIsNoticedWhenTheLogIsBack) {
  store().health =
      std::make_shared<log::DirectoryHealth>("/data", [](const Error&) {});
  Diverge();
  ASSERT_TRUE(Mine()->away());
  store().health->TakeOffline({ErrorCode::kKafkaStorageError, "test"});
  cluster_.broker(1).replicas->DirectoryFailed();
  cluster_.executor.RunFor(seconds(1));
  EXPECT_FALSE(Mine()->away());
  EXPECT_TRUE(Mine()->failed());
  EXPECT_EQ(stats().offline, 1);
  EXPECT_EQ(Mine()->FollowerPosition(), std::nullopt);
}

}  // namespace
}  // namespace tidemark::replication
