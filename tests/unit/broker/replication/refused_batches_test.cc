// Batches of an idempotent producer behind one that was refused, and such as
// come again late.

#include "broker/replication/refused_batches.h"

#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A leader is no longer new then.
constexpr auto kLong = seconds(10);

std::string Batch(int32_t sequence, int count, ProducerId producer = 7,
                  ProducerEpoch epoch = 0) {
  record::BatchOptions options;
  options.producer_id = producer;
  options.producer_epoch = epoch;
  options.base_sequence = sequence;
  record::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) builder.Add(1'000'000, std::nullopt, "v");
  return builder.Build();
}

record::BatchHeader Header(int32_t sequence, int count, ProducerId producer = 7,
                           ProducerEpoch epoch = 0) {
  return *record::ParseBatchHeader(Batch(sequence, count, producer, epoch));
}

class RefusedBatchesTest : public testing::Test {
 protected:
  // Five records of one producer are committed.
  void SetUp() override {
    cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
    ASSERT_EQ(Send(1, Batch(0, 5)), ErrorCode::kNone);
  }
  ErrorCode Send(NodeId at, const std::string& batch) {
    std::optional<ErrorCode> error;
    cluster_.broker(at).replicas->Produce(
        {{kT0, SharedBytes(batch)}}, -1, seconds(30), cluster_.executor,
        [&](std::vector<ProduceOutcome> all) { error = all.at(0).error; });
    cluster_.executor.RunFor(seconds(1));
    return *error;
  }

  TestCluster cluster_{2};
};

TEST_F(RefusedBatchesTest, WhatFollowsARefusedBatchIsRefusedAlike) {
  cluster_.cut = {{2, 1}};
  cluster_.ChangePartition("t", 0, {1}, std::nullopt);
  EXPECT_EQ(Send(1, Batch(5, 1)), ErrorCode::kNotEnoughReplicas);
  cluster_.ChangePartition("t", 0, {1, 2}, std::nullopt);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(1));
  // Sent before the answer to the first had come.
  EXPECT_EQ(Send(1, Batch(6, 3)), ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Send(1, Batch(9, 1)), ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Send(1, Batch(5, 1)), ErrorCode::kNone);
  EXPECT_EQ(Send(1, Batch(6, 3)), ErrorCode::kNone);
  EXPECT_EQ(Send(1, Batch(9, 1)), ErrorCode::kNone);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 10);
}

TEST_F(RefusedBatchesTest, AlsoWhereTheFirstMetTheOldRole) {
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kNotLeaderOrFollower);
  cluster_.Elect("t", 0, 2, {1, 2});
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNone);
}

// To a log that does not know the producer any sequence is the first. Found by
// the simulator.
TEST_F(RefusedBatchesTest, AlsoTheFirstOnesOfAProducer) {
  EXPECT_EQ(Send(2, Batch(0, 5, 8)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(5, 4, 8)), ErrorCode::kNotLeaderOrFollower);
  cluster_.Elect("t", 0, 2, {1, 2});
  EXPECT_EQ(Send(2, Batch(9, 4, 8)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(0, 5, 8)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(5, 4, 8)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(9, 4, 8)), ErrorCode::kNone);
  EXPECT_EQ(Send(1, Batch(0, 5, 9)), ErrorCode::kNotLeaderOrFollower);
  cluster_.Elect("t", 0, 1, {1, 2});
  cluster_.executor.RunFor(kLong);
  EXPECT_EQ(Send(1, Batch(5, 1, 10)), ErrorCode::kNone) << "another's";
}

// The producer may have given up the first: it has to learn that.
TEST_F(RefusedBatchesTest, ABatchIsExcusedOnce) {
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kNotLeaderOrFollower);
  cluster_.Elect("t", 0, 2, {1, 2});
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kOutOfOrderSequenceNumber);
}

// As librdkafka does when it learns of the new leader before the refused batch
// is to be sent again.
TEST_F(RefusedBatchesTest, AlsoWhereTheLeaderBeforeRefusedTheFirst) {
  cluster_.executor.RunFor(kLong);
  cluster_.Elect("t", 0, 2, {1, 2});
  EXPECT_EQ(Send(1, Batch(5, 1)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(7, 1)), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(9, 1)), ErrorCode::kOutOfOrderSequenceNumber);
}

TEST_F(RefusedBatchesTest, EveryNewLeaderExcusesAGapOnce) {
  for (const NodeId leader : {2, 1, 2}) {
    cluster_.executor.RunFor(kLong);
    cluster_.Elect("t", 0, leader, {1, 2});
    EXPECT_EQ(Send(leader, Batch(6, 1)), ErrorCode::kNotLeaderOrFollower);
    EXPECT_EQ(Send(leader, Batch(6, 1)), ErrorCode::kOutOfOrderSequenceNumber);
    EXPECT_EQ(Send(leader, Batch(7, 1)), ErrorCode::kNotLeaderOrFollower)
        << "the next one of the excused";
    EXPECT_EQ(Send(leader, Batch(9, 1)), ErrorCode::kOutOfOrderSequenceNumber);
  }
}

TEST_F(RefusedBatchesTest, AGapAtALeaderOfLongIsAGap) {
  cluster_.executor.RunFor(kLong);
  EXPECT_EQ(Send(1, Batch(6, 1)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kNotLeaderOrFollower);
  cluster_.Elect("t", 0, 2, {1, 2});
  cluster_.executor.RunFor(kLong);
  EXPECT_EQ(Send(2, Batch(7, 1)), ErrorCode::kOutOfOrderSequenceNumber);
}

// Its answer was an error, those of the next five were none, and what it was
// sent again was lost with the leader: seven batches later it comes once more.
TEST_F(RefusedBatchesTest, ABatchThatIsThereIsAcknowledgedHoweverLateItComes) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(Send(1, Batch(5 + i, 1)), ErrorCode::kNone);
  }
  EXPECT_EQ(Send(1, Batch(0, 5)), ErrorCode::kDuplicateSequenceNumber);
  cluster_.Elect("t", 0, 2, {1, 2});
  EXPECT_EQ(Send(2, Batch(0, 5)), ErrorCode::kDuplicateSequenceNumber);
  EXPECT_EQ(Send(2, Batch(5, 1)), ErrorCode::kDuplicateSequenceNumber);
  EXPECT_EQ(Send(2, Batch(6, 1)), ErrorCode::kNone);
  EXPECT_EQ(Send(2, Batch(11, 1)), ErrorCode::kNone);
  EXPECT_EQ(cluster_.Replica(2, kT0)->log().end_offset(), 12);
}

TEST_F(RefusedBatchesTest, ButNotBeforeItIsCommitted) {
  cluster_.cut = {{2, 1}};
  std::vector<std::optional<ErrorCode>> errors(7);
  for (int i = 0; i < 7; ++i) {
    cluster_.broker(1).replicas->Produce(
        {{kT0, SharedBytes(Batch(5 + i % 6, 1))}}, -1, seconds(30),
        cluster_.executor, [&errors, i](std::vector<ProduceOutcome> all) {
          errors[i] = all.at(0).error;
          EXPECT_EQ(all.at(0).base_offset, i < 6 ? 5 + i : -1);
        });
    cluster_.executor.RunFor(milliseconds(10));
  }
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 11);
  EXPECT_EQ(errors[6], std::nullopt);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(errors[0], ErrorCode::kNone);
  EXPECT_EQ(errors[6], ErrorCode::kDuplicateSequenceNumber);
}

TEST(RefusedBatches, FollowsTheSequenceOfItsOwnProducerPartitionAndEpoch) {
  RefusedBatches refused;
  refused.Add(kT0, Header(INT32_MAX - 1, 2), ErrorCode::kNotEnoughReplicas);
  EXPECT_FALSE(refused.Excuse({"t", 1}, Header(0, 1), 3, false));
  EXPECT_FALSE(refused.Excuse(kT0, Header(0, 1, 8), 3, false));
  EXPECT_FALSE(refused.Excuse(kT0, Header(0, 1, 7, 1), 3, false));
  EXPECT_EQ(refused.Excuse(kT0, Header(0, 1), 3, false),
            ErrorCode::kNotEnoughReplicas);
}

TEST(RefusedBatches, RemembersTheNewestOfMany) {
  RefusedBatches refused;
  for (ProducerId id = 0; id < 100'000; ++id) {
    refused.Add(kT0, Header(0, 1, id), ErrorCode::kNotEnoughReplicas);
  }
  EXPECT_LE(refused.size(), 2 * RefusedBatches::kGeneration);
  EXPECT_TRUE(refused.Excuse(kT0, Header(1, 1, 99'999), 3, false));
  EXPECT_FALSE(refused.Excuse(kT0, Header(1, 1, 0), 3, false));
  for (ProducerId id = 0; id < 100'000; ++id) {
    EXPECT_TRUE(refused.Excuse(kT0, Header(5, 1, id), 3, true));
  }
  EXPECT_LE(refused.size(), 2 * RefusedBatches::kGeneration);
}

}  // namespace
}  // namespace tidemark::replication
