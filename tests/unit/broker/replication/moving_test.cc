// Partitions that move to other brokers (KIP-455).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;
using testing::UnorderedElementsAre;
using Ids = std::vector<NodeId>;

class MovingTest : public testing::Test {
 protected:
  const metadata::PartitionImage& row() const {
    return *cluster_.image().FindPartition("t", 0);
  }

  // What the controllers write when a move begins, ends or is cancelled.
  void Change(const Ids& replicas, const Ids& adding, const Ids& removing,
              const Ids& isr, NodeId leader) {
    metadata::v1::Record record;
    auto* change = record.mutable_change_partition();
    change->set_topic_id(cluster_.image().FindTopic("t")->id.ToBytes());
    change->mutable_replicas()->Add(replicas.begin(), replicas.end());
    change->mutable_adding_replicas()->mutable_replicas()->Add(adding.begin(),
                                                               adding.end());
    change->mutable_removing_replicas()->mutable_replicas()->Add(
        removing.begin(), removing.end());
    change->mutable_isr()->Add(isr.begin(), isr.end());
    if (replicas.size() < row().replicas.size()) {
      change->set_leader(leader);
      change->set_leader_epoch(row().leader_epoch + 1);
    }
    cluster_.Commit({record});
  }
  bool HasLog(NodeId id) {
    return cluster_.broker(id).logs.handed_out.contains(kT0);
  }
  int64_t UnderReplicated(NodeId id) {
    return cluster_.broker(id).replicas->stats().under_replicated;
  }

  TestCluster cluster_{4};
};

TEST_F(MovingTest, WhoIsToComeFollowsAndWhoGoesDeletesItsLog) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  for (const char* value : {"a", "b", "c"}) cluster_.Produce(1, kT0, value);
  Change({3, 4, 1, 2}, {3, 4}, {1, 2}, {1, 2}, 1);
  EXPECT_EQ(UnderReplicated(1), 0) << "who is to come is not missing";
  cluster_.executor.RunFor(seconds(3));
  EXPECT_THAT(row().isr, UnorderedElementsAre(1, 2, 3, 4));
  EXPECT_EQ(cluster_.Produce(1, kT0, "d").error, ErrorCode::kNone);
  EXPECT_EQ(cluster_.Replica(4, kT0)->log().end_offset(), 4);

  Change({3, 4}, {}, {}, {3, 4}, 3);
  cluster_.executor.RunFor(seconds(2));
  for (NodeId id : {1, 2}) {
    EXPECT_EQ(cluster_.Replica(id, kT0), nullptr);
    EXPECT_FALSE(HasLog(id));
  }
  EXPECT_EQ(cluster_.Produce(1, kT0, "e").error,
            ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(cluster_.Produce(3, kT0, "e").error, ErrorCode::kNone);
  EXPECT_EQ(cluster_.Replica(4, kT0)->log().end_offset(), 5);
  EXPECT_EQ(UnderReplicated(3), 0);
}

TEST_F(MovingTest, WhoseMoveIsCancelledDeletesItsLogAndMayComeAgain) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.Produce(1, kT0, "a");
  Change({1, 2, 3}, {3}, {}, {1, 2}, 1);
  cluster_.executor.RunFor(seconds(2));
  EXPECT_THAT(row().isr, UnorderedElementsAre(1, 2, 3));
  Change({1, 2}, {}, {}, {1, 2}, 1);
  cluster_.executor.RunFor(seconds(2));
  EXPECT_EQ(cluster_.Replica(3, kT0), nullptr);
  EXPECT_FALSE(HasLog(3));
  EXPECT_EQ(cluster_.Produce(1, kT0, "b").error, ErrorCode::kNone);
  Change({1, 2, 3}, {3}, {}, {1, 2}, 1);
  cluster_.executor.RunFor(seconds(2));
  EXPECT_THAT(row().isr, UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(cluster_.Replica(3, kT0)->log().end_offset(), 2);
}

// Between directories: whoever holds it up may wait for a disk for ever.
TEST_F(MovingTest, AHoldHasAnEndUnlessThereIsNoWayBack) {
  const Uuid id = cluster_.CreateTopic("t", 1, {1}, 1, {1});
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  auto& replicas = *cluster_.broker(1).replicas;
  ReplicaShard& shard = replicas.shard(replicas.ShardIndexOf(kT0));
  ASSERT_TRUE(shard.HoldUp(kT0, id));
  EXPECT_NE(cluster_.Produce(1, kT0, "b").error, ErrorCode::kNone);
  cluster_.executor.RunFor(seconds(4));
  EXPECT_TRUE(shard.IsHeldUp(kT0, id));
  cluster_.executor.RunFor(seconds(2));
  EXPECT_FALSE(shard.IsHeldUp(kT0, id));
  EXPECT_FALSE(shard.KeepHeldUp(kT0, id));
  EXPECT_EQ(cluster_.Produce(1, kT0, "b").error, ErrorCode::kNone);

  ASSERT_TRUE(shard.HoldUp(kT0, id));
  EXPECT_FALSE(shard.KeepHeldUp(kT0, Uuid::Random()));
  EXPECT_TRUE(shard.KeepHeldUp(kT0, id));
  cluster_.executor.RunFor(seconds(20));
  EXPECT_TRUE(shard.IsHeldUp(kT0, id));
  shard.LetGo(kT0, id);
  EXPECT_EQ(cluster_.Produce(1, kT0, "c").error, ErrorCode::kNone);
}

// Readers are slower than moves between directories.
TEST_F(MovingTest, DamageOfAnotherLogIsNotThisOnes) {
  cluster_.CreateTopic("t", 1, {1}, 1, {1});
  cluster_.Produce(1, kT0, "a");
  auto& replicas = *cluster_.broker(1).replicas;
  ReplicaShard& shard = replicas.shard(replicas.ShardIndexOf(kT0));
  const Partition& partition = *cluster_.Replica(1, kT0);
  const Error rot{ErrorCode::kCorruptMessage, "test"};
  WhichLog which = partition.which_log();
  ++which.exchanges;
  shard.FoundCorrupt(kT0, which, 0, rot);
  EXPECT_EQ(partition.corrupt_from(), std::nullopt);
  shard.FoundCorrupt(kT0, partition.which_log(), 0, rot);
  EXPECT_EQ(partition.corrupt_from(), 0);
}

// KIP-73. Twice as long where the rate is half.
class ThrottledTest : public MovingTest,
                      public testing::WithParamInterface<const char*> {
 protected:
  void Set(metadata::v1::ResourceType type, const std::string& name,
           const std::string& key, const std::string& value) {
    metadata::v1::Record record;
    record.mutable_set_config()->set_type(type);
    record.mutable_set_config()->set_name(name);
    record.mutable_set_config()->set_key(key);
    record.mutable_set_config()->set_value(value);
    cluster_.Commit({record});
  }
  // Until the one that is to come has all there is.
  Duration MoveTakes() {
    const Instant before = cluster_.executor.Now();
    Change({1, 2, 3}, {3}, {}, {1, 2}, 1);
    const Instant limit = before + seconds(120);
    while (row().isr.size() < 3 && cluster_.executor.Now() < limit) {
      cluster_.executor.RunFor(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(row().isr.size(), 3u);
    return cluster_.executor.Now() - before;
  }
  void Fill() {
    cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
    for (int i = 0; i < 10; ++i) {
      cluster_.Produce(1, kT0, std::string(1'000'000, 'x'));
    }
  }
};

TEST_P(ThrottledTest, AMoveIsAsSlowAsItIsToBe) {
  const std::string side = GetParam();
  Fill();
  Set(metadata::v1::TOPIC, "t", side + ".replication.throttled.replicas",
      side == "leader" ? "0:1,0:2" : "0:3");
  Set(metadata::v1::BROKER, "", side + ".replication.throttled.rate",
      "1000000");
  const Duration takes = MoveTakes();
  EXPECT_GT(takes, seconds(7));
  EXPECT_LT(takes, seconds(14));
  // Who is in sync is not held up.
  const Instant before = cluster_.executor.Now();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(cluster_.Produce(1, kT0, std::string(1'000'000, 'x')).error,
              ErrorCode::kNone);
  }
  EXPECT_LT(cluster_.executor.Now() - before, seconds(1));
}

TEST_P(ThrottledTest, OthersAreNot) {
  const std::string side = GetParam();
  Fill();
  Set(metadata::v1::TOPIC, "t", side + ".replication.throttled.replicas",
      "1:1,1:3,0:7");
  Set(metadata::v1::BROKER, "", side + ".replication.throttled.rate",
      "1000000");
  EXPECT_LT(MoveTakes(), seconds(2));
}

TEST_P(ThrottledTest, AThrottleThatIsTakenAwayIsGone) {
  const std::string side = GetParam();
  Fill();
  Set(metadata::v1::TOPIC, "t", side + ".replication.throttled.replicas", "*");
  Set(metadata::v1::BROKER, "", side + ".replication.throttled.rate", "100000");
  Change({1, 2, 3}, {3}, {}, {1, 2}, 1);
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(row().isr.size(), 2u);
  metadata::v1::Record record;
  record.mutable_set_config()->set_type(metadata::v1::BROKER);
  record.mutable_set_config()->set_key(side + ".replication.throttled.rate");
  cluster_.Commit({record});
  // A pause that has begun ends.
  cluster_.executor.RunFor(seconds(25));
  EXPECT_EQ(row().isr.size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Sides, ThrottledTest,
                         testing::Values("leader", "follower"));

}  // namespace
}  // namespace tidemark::replication
