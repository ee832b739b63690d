#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DeleteRecordsTest : public testing::Test {
 protected:
  DeleteRecordsTest() {
    cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
    for (int i = 0; i < 6; ++i) cluster_.Produce(1, kT0, "a");
  }
  using Answer = std::optional<Result<Offset>>;
  std::shared_ptr<Answer> Start(NodeId at, Offset before,
                                Duration timeout = seconds(5)) {
    auto answer = std::make_shared<Answer>();
    cluster_.broker(at).replicas->DeleteRecords(
        kT0, before, timeout, cluster_.executor,
        [answer](Result<Offset> low) { *answer = std::move(low); });
    return answer;
  }
  Result<Offset> Delete(NodeId at, Offset before) {
    const auto answer = Start(at, before);
    cluster_.executor.RunFor(seconds(6));
    return answer->value();
  }
  Offset StartAt(NodeId at) {
    return cluster_.Replica(at, kT0)->log().start_offset();
  }

  TestCluster cluster_{3};
};

TEST_F(DeleteRecordsTest, AnsweredWhenEveryReplicaStartsThere) {
  const auto answer = Start(1, 4);
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(*answer) << "followers are told at once";
  EXPECT_EQ(***answer, 4);
  EXPECT_EQ(StartAt(1), 4);
  EXPECT_EQ(StartAt(2), 4);
  EXPECT_EQ(StartAt(3), 4);
  EXPECT_EQ(cluster_.broker(1).logs.starts_kept, 1);
}

// Or the records would be back when all are killed and one of those leads.
TEST_F(DeleteRecordsTest, NotBeforeTheDisksOfFollowersHaveIt) {
  auto& disk = cluster_.broker(3).logs;
  disk.work_time = seconds(1);
  const auto answer = Start(1, 4);
  cluster_.executor.RunFor(milliseconds(900));
  EXPECT_EQ(StartAt(3), 4);
  EXPECT_FALSE(*answer);
  EXPECT_EQ(disk.starts_kept, 0);
  cluster_.executor.RunFor(milliseconds(200));
  ASSERT_TRUE(*answer);
  EXPECT_EQ(***answer, 4);
  EXPECT_EQ(disk.starts_kept, 1);
}

TEST_F(DeleteRecordsTest, ToTheHighWatermark) {
  EXPECT_EQ(*Delete(1, -1), 6);
  EXPECT_EQ(*Delete(1, 2), 6) << "nothing is there any more";
}

TEST_F(DeleteRecordsTest, NotBeyondWhatIsCommittedNorElsewhere) {
  EXPECT_EQ(Delete(1, 7).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(Delete(1, -2).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(Delete(2, 1).error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(StartAt(1), 0);
}

TEST_F(DeleteRecordsTest, TimesOutWhileALiveReplicaIsBehind) {
  cluster_.cut.insert({3, 1});
  cluster_.executor.RunFor(seconds(1));
  const auto answer = Start(1, 3, seconds(2));
  cluster_.executor.RunFor(milliseconds(1900));
  ASSERT_FALSE(*answer);
  cluster_.executor.RunFor(milliseconds(200));
  ASSERT_TRUE(*answer && !**answer);
  EXPECT_EQ((*answer)->error().code, ErrorCode::kRequestTimedOut);
  EXPECT_EQ(StartAt(1), 3) << "it is under way";
}

TEST_F(DeleteRecordsTest, WhoIsDeadIsNotWaitedFor) {
  cluster_.cut.insert({3, 1});
  cluster_.executor.RunFor(seconds(1));
  const auto answer = Start(1, 3, seconds(20));
  cluster_.executor.RunFor(seconds(1));
  ASSERT_FALSE(*answer);
  metadata::v1::Record fence;
  fence.mutable_change_broker()->set_broker_id(3);
  fence.mutable_change_broker()->set_broker_epoch(3);
  fence.mutable_change_broker()->set_fenced(true);
  cluster_.Commit({fence});
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(*answer);
  EXPECT_EQ(***answer, 3);
}

TEST_F(DeleteRecordsTest, EndsWithTheLeadership) {
  cluster_.cut.insert({3, 1});
  cluster_.executor.RunFor(seconds(1));
  const auto answer = Start(1, 3, seconds(20));
  cluster_.executor.RunFor(seconds(1));
  cluster_.Elect("t", 0, 2, {1, 2});
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(*answer && !**answer);
  EXPECT_EQ((*answer)->error().code, ErrorCode::kNotLeaderOrFollower);
}

TEST_F(DeleteRecordsTest, ReplicasSayWhatTheyTake) {
  std::vector<ReplicaSize> sizes;
  cluster_.broker(2).replicas->DescribeReplicas(
      cluster_.executor,
      [&](std::vector<ReplicaSize> all) { sizes = std::move(all); });
  cluster_.executor.RunFor(milliseconds(10));
  ASSERT_EQ(sizes.size(), 1u);
  EXPECT_EQ(sizes[0].partition, kT0);
  EXPECT_EQ(sizes[0].directory, "/data");
  EXPECT_EQ(sizes[0].bytes, cluster_.Replica(2, kT0)->log().size_bytes());
  EXPECT_GT(sizes[0].bytes, 0);
  EXPECT_EQ(sizes[0].lag, 0);
}

}  // namespace
}  // namespace tidemark::replication
