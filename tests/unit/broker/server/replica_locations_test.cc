#include "broker/server/replica_locations.h"

#include <gmock/gmock.h>

#include "common/metadata/apply.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

constexpr NodeId kSelf = 1;

class ReplicaLocationsTest : public testing::Test {
 protected:
  ReplicaLocationsTest() {
    tidemark::metadata::v1::Record record;
    record.mutable_add_topic()->set_name("t");
    record.mutable_add_topic()->set_topic_id(topic.ToBytes());
    Apply(record);
  }

  void Apply(const tidemark::metadata::v1::Record& record) {
    tidemark::metadata::v1::RecordBatch batch;
    *batch.add_records() = record;
    image = *metadata::ApplyBatch(image, batch, image->offset() + 1, nullptr);
    holder.Set(image);
  }
  // The next partition of the topic.
  TopicPartition Add(std::vector<NodeId> isr, NodeId leader,
                     PartitionEpoch epoch = 3, bool recovering = false,
                     std::vector<NodeId> elr = {}, const Uuid& directory = {}) {
    tidemark::metadata::v1::Record record;
    auto* add = record.mutable_add_partition();
    add->set_topic_id(topic.ToBytes());
    add->set_partition(next_);
    add->add_replicas(1);
    add->add_replicas(2);
    for (NodeId id : isr) add->add_isr(id);
    for (NodeId id : elr) add->add_eligible_leader_replicas(id);
    add->set_leader(leader);
    add->set_partition_epoch(epoch);
    if (recovering) add->set_recovery(tidemark::metadata::v1::RECOVERING);
    add->add_directory_ids(directory.ToBytes());
    add->add_directory_ids(Uuid{}.ToBytes());
    Apply(record);
    return {"t", next_++};
  }

  const Uuid topic = Uuid::Random();
  const Uuid disk = Uuid::Random();
  metadata::ImagePtr image = std::make_shared<metadata::Image>();
  ImageHolder holder;
  FakeController controller;
  ManualExecutor executor;
  ReplicaLocations locations{
      kSelf, {{"/d", disk}}, holder, controller, executor};
  PartitionIndex next_ = 0;
};

using Loss = ReplicaLocations::Loss;

// KIP-966: it could be elected for what it had.
TEST_F(ReplicaLocationsTest, NorDoesAnEligibleLeader) {
  const auto eligible = Add({2}, kNoNode, 3, false, {1});
  locations.SetFirstImage(*image);
  EXPECT_FALSE(locations.MayStartOver(eligible, topic, Loss::kShortened));
  executor.RunAll();
  ASSERT_EQ(controller.assigned.size(), 1u);
  EXPECT_TRUE(controller.assigned[0].replicas(0).log_was_missing());
}

TEST_F(ReplicaLocationsTest, AnInSyncReplicaWithoutItsLogGetsNoEmptyOne) {
  const auto leads = Add({1}, kNoNode);
  const auto follows = Add({1, 2}, 2);
  const auto behind = Add({2}, 2);
  const auto untouched = Add({1, 2}, 1, 0);
  const auto elected = Add({1}, 1, 3, true);
  locations.SetFirstImage(*image);
  for (const auto& lost : {leads, follows}) {
    Status refused = locations.MayStartOver(lost, topic, Loss::kGone);
    ASSERT_FALSE(refused) << ToString(lost);
    EXPECT_EQ(refused.error().code, ErrorCode::kKafkaStorageError);
  }
  EXPECT_TRUE(locations.MayStartOver(behind, topic, Loss::kGone))
      << "fetches all of it";
  EXPECT_TRUE(locations.MayStartOver(untouched, topic, Loss::kGone))
      << "nothing to lose";
  EXPECT_TRUE(locations.MayStartOver(elected, topic, Loss::kGone))
      << "an unclean election";
  EXPECT_TRUE(locations.MayStartOver(leads, Uuid::Random(), Loss::kGone))
      << "another topic";
  executor.RunAll();
  ASSERT_EQ(controller.assigned.size(), 1u);
  ASSERT_EQ(controller.assigned[0].replicas_size(), 2);
  for (const auto& replica : controller.assigned[0].replicas()) {
    EXPECT_TRUE(replica.log_was_missing());
    EXPECT_EQ(replica.directory_id(), disk.ToBytes());
  }
}

// B-31: a log by that name is not thrown away as another topic's.
TEST_F(ReplicaLocationsTest, WhoseLogIsCountedOnIsKnownByTheName) {
  const auto leads = Add({1}, kNoNode);
  const auto behind = Add({2}, 2);
  const auto untouched = Add({1, 2}, 1, 0);
  const auto elected = Add({1}, 1, 3, true);
  locations.SetFirstImage(*image);
  const auto later = Add({1}, 1);
  EXPECT_EQ(locations.CountedOn(leads), topic);
  for (const auto& other : {behind, untouched, elected, later}) {
    EXPECT_EQ(locations.CountedOn(other), std::nullopt) << ToString(other);
  }
  EXPECT_EQ(locations.CountedOn({"t", 99}), std::nullopt);
  EXPECT_EQ(locations.CountedOn({"u", 0}), std::nullopt);
}

TEST_F(ReplicaLocationsTest, ALogOutOfSightIsNotReportedAsLost) {
  const auto partition = Add({1}, kNoNode);
  locations.SetFirstImage(*image);
  EXPECT_FALSE(locations.MayStartOver(partition, topic, Loss::kOutOfSight));
  executor.RunAll();
  EXPECT_TRUE(controller.assigned.empty());
}

TEST_F(ReplicaLocationsTest, ADamagedLogIsReportedUnlessNobodyHasABetterOne) {
  const auto follows = Add({1, 2}, 2, 3, false, {}, disk);
  locations.Damaged(follows, topic);
  locations.Damaged(Add({1, 2}, 1), topic);     // it resigns by itself
  locations.Damaged(Add({1}, kNoNode), topic);  // the last in sync
  locations.Damaged({"t", 99}, topic);
  executor.RunAll();
  ASSERT_EQ(controller.assigned.size(), 1u);
  ASSERT_EQ(controller.assigned[0].replicas_size(), 1);
  const auto& replica = controller.assigned[0].replicas(0);
  EXPECT_EQ(replica.partition(), follows.partition);
  EXPECT_TRUE(replica.log_was_missing());
  EXPECT_EQ(replica.directory_id(), disk.ToBytes());
}

TEST_F(ReplicaLocationsTest, WhatIsNewInThisLifeMayBeCreated) {
  locations.SetFirstImage(*image);
  // Created, and changed, before this broker came to open it.
  EXPECT_TRUE(locations.MayStartOver(Add({1, 2}, 1), topic, Loss::kGone));
  executor.RunAll();
  EXPECT_TRUE(controller.assigned.empty());
}

TEST_F(ReplicaLocationsTest, OnlyWhatTheMetadataDoNotSayIsReported) {
  const auto known = Add({1}, 1, 3, false, {}, disk);
  const auto moved = Add({1}, 1, 3, false, {}, Uuid::Random());
  const auto unknown = Add({1}, 1);
  for (const auto& partition : {known, moved, unknown}) {
    locations.Opened(partition, topic, "/d");
  }
  executor.RunAll();
  ASSERT_EQ(controller.assigned.size(), 1u);
  ASSERT_EQ(controller.assigned[0].replicas_size(), 2);
  EXPECT_EQ(controller.assigned[0].replicas(0).partition(), 1);
  EXPECT_FALSE(controller.assigned[0].replicas(0).log_was_missing());
}

// What is on its way may say otherwise.
TEST_F(ReplicaLocationsTest, AMoveIsReportedWhateverTheMetadataSay) {
  const auto known = Add({1}, 1, 3, false, {}, disk);
  locations.Opened(known, topic, "/d");
  executor.RunAll();
  EXPECT_TRUE(controller.assigned.empty());
  locations.Moved(known, topic, "/d");
  locations.Moved(known, topic, "/nowhere");
  executor.RunAll();
  ASSERT_EQ(controller.assigned.size(), 1u);
  EXPECT_EQ(controller.assigned[0].replicas(0).directory_id(), disk.ToBytes());
}

TEST_F(ReplicaLocationsTest, ReportsAreBoundedAndRepeatedUntilAnswered) {
  controller.refuse_assignments = 2;
  for (int i = 0; i < 4500; ++i) {
    locations.Opened({"other", i}, Uuid::Random(), "/d");
  }
  executor.RunAll();
  int answered = 0;
  for (size_t i = 2; i < controller.assigned.size(); ++i) {
    EXPECT_LE(controller.assigned[i].replicas_size(), 2000);
    answered += controller.assigned[i].replicas_size();
  }
  EXPECT_EQ(answered, 4500);
  EXPECT_EQ(controller.assigned.size(), 5u);
}

}  // namespace
}  // namespace tidemark::server
