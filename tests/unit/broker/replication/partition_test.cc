#include "broker/replication/partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metadata/apply.h"
#include "tests/unit/broker/replication/partition_fixture.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

TEST_F(PartitionTest, HighWatermarkWaitsForEveryDiskOfTheIsr) {
  Replica& one = Make(1);
  Replica& two = Make(2);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Fetch(two, one);
  ASSERT_EQ(two.partition->log().end_offset(), 1);
  Sync(one);
  Fetch(two, one);
  EXPECT_EQ(one.partition->high_watermark(), 0) << "in memory of 2 only";
  Sync(two);
  Fetch(two, one);
  EXPECT_EQ(one.partition->high_watermark(), 1);
  Fetch(two, one);
  EXPECT_EQ(two.partition->high_watermark(), 1);
}

TEST_F(PartitionTest, HighWatermarkWaitsForTheLeadersDisk) {
  Replica& one = Make(1);
  Replica& two = Make(2);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Fetch(two, one);
  Sync(two);
  Fetch(two, one);
  EXPECT_EQ(one.partition->high_watermark(), 0);
  Sync(one);
  EXPECT_EQ(one.partition->high_watermark(), 1);
}

TEST_F(PartitionTest, ConsumersSeeOnlyWhatIsCommittedFollowersEverything) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  EXPECT_TRUE(one.partition->FetchAsConsumer({-1, 0, -1}, 1000, true, Instant())
                  .records.empty());
  FollowerFetch fetch;
  fetch.replica = 2;
  EXPECT_FALSE(one.partition->FetchAsFollower(fetch, 1000, true, kStart)
                   .records.empty());
}

TEST_F(PartitionTest, ReportsReadNothing) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  FollowerFetch fetch;
  fetch.replica = 2;
  EXPECT_TRUE(
      one.partition->FetchAsFollower(fetch, 0, true, kStart).records.empty());
}

TEST_F(PartitionTest, AcksAllNeedsMinIsrBeforeTheAppend) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
  EXPECT_EQ(Append(one, "a").error().code, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(one.partition->log().end_offset(), 0);
  EXPECT_TRUE(Append(one, "a", 1));
}

TEST_F(PartitionTest, MinIsrIsNeverMoreThanTheReplicas) {
  Replica& one = Make(1, 5);
  auto row = Row({1}, 1, 0, 0);
  row.replicas = {1};
  one.partition->ApplyRow(row, kStart);
  EXPECT_TRUE(Append(one, "a"));
  Sync(one);
  EXPECT_EQ(one.partition->high_watermark(), 1);
}

TEST_F(PartitionTest, NewEpochStartsAtTheEndAndForgetsTheFollowers) {
  Replica& one = Make(1);
  Replica& two = Make(2);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  Fetch(two, one);
  Sync(two);
  one.partition->ApplyRow(Row({1, 2}, 1, 1, 1), kStart);
  EXPECT_EQ(one.partition->epoch_start(), 1);
  EXPECT_EQ(one.partition->log().latest_epoch(), 1);
  EXPECT_EQ(one.partition->high_watermark(), 0) << "nobody fetched yet";
  EXPECT_EQ(one.partition->FindOffset(-1, -1).error().code,
            ErrorCode::kOffsetNotAvailable);
  two.partition->ApplyRow(Row({1, 2}, 1, 1, 1), kStart);
  Fetch(two, one);
  EXPECT_EQ(one.partition->high_watermark(), 1);
  EXPECT_EQ(one.partition->FindOffset(-1, -1)->offset, 1);
}

TEST_F(PartitionTest, SameEpochKeepsWhatFollowersHaveReached) {
  Replica& one = Make(1);
  Replica& two = Make(2);
  one.partition->ApplyRow(Row({1, 2, 3}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2, 3}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  Fetch(two, one);
  Sync(two);
  Fetch(two, one);
  EXPECT_EQ(one.partition->high_watermark(), 0) << "3 has not fetched";
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 1), kStart);
  EXPECT_EQ(one.partition->high_watermark(), 1);
}

TEST_F(PartitionTest, OlderPartitionEpochIsIgnored) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2}, 1, 1, 5), kStart);
  one.partition->ApplyRow(Row({1, 2}, 2, 1, 4), kStart);
  EXPECT_TRUE(one.partition->IsLeader());
}

TEST_F(PartitionTest, EpochsOfRequestsAreChecked) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2}, 1, 3, 5), kStart);
  EXPECT_EQ(
      one.partition->FetchAsConsumer({2, 0, -1}, 1, true, Instant()).error,
      ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(
      one.partition->FetchAsConsumer({4, 0, -1}, 1, true, Instant()).error,
      ErrorCode::kUnknownLeaderEpoch);
  one.partition->ApplyRow(Row({1, 2}, 2, 4, 6), kStart);
  EXPECT_EQ(
      one.partition->FetchAsConsumer({4, 0, -1}, 1, true, Instant()).error,
      ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Append(one, "a").error().code, ErrorCode::kNotLeaderOrFollower);
}

TEST_F(PartitionTest, LaggingFollowerLeavesTheIsrAndTheLeaderStays) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2, 3}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  one.partition->TakeEffects();
  one.partition->Tick(kStart + seconds(30));
  EXPECT_FALSE(one.partition->TakeEffects().proposal);
  one.partition->Tick(kStart + seconds(31));
  const auto effects = one.partition->TakeEffects();
  ASSERT_TRUE(effects.proposal);
  ASSERT_EQ(effects.proposal->isr.size(), 1u);
  EXPECT_EQ(effects.proposal->isr[0].id, 1);
  EXPECT_EQ(one.partition->high_watermark(), 0);
  one.partition->Tick(kStart + seconds(32));
  EXPECT_FALSE(one.partition->TakeEffects().proposal) << "one at a time";
}

// A log whose first life ended before its first sync; found by simulation.
// The metadata with brokers 1 and 2, of which the second may have lost the
// directory that the partition's replica is in.
metadata::ImagePtr ImageWithDirectories(bool offline) {
  metadata::v1::RecordBatch batch;
  for (NodeId id : {1, 2}) {
    auto* broker = batch.add_records()->mutable_register_broker();
    broker->set_broker_id(id);
    broker->set_broker_epoch(1);
    broker->set_incarnation_id(TestUuid(id).ToBytes());
    broker->add_directory_ids(TestUuid(100 + id).ToBytes());
    if (offline && id == 2) {
      broker->add_offline_directories()->set_id(TestUuid(102).ToBytes());
    }
  }
  auto* topic = batch.add_records()->mutable_add_topic();
  topic->set_name(kName.topic);
  topic->set_topic_id(kId.ToBytes());
  auto* partition = batch.add_records()->mutable_add_partition();
  partition->set_topic_id(kId.ToBytes());
  for (NodeId id : {1, 2}) {
    partition->add_replicas(id);
    partition->add_directory_ids(TestUuid(100 + id).ToBytes());
  }
  partition->add_isr(1);
  partition->set_leader(1);
  return *metadata::ApplyBatch(nullptr, batch, 1, nullptr);
}

TEST_F(PartitionTest,
       AReplicaWithoutItsDirectoryIsNeitherAskedForNorWaitedFor) {
  for (bool offline : {false, true}) {
    Replica& one = Make(1, 1);
    Replica& two = Make(2, 1);
    one.env.image = ImageWithDirectories(offline);
    one.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
    two.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
    Fetch(two, one);
    EXPECT_EQ(one.partition->isr().pending(), !offline);
    ASSERT_TRUE(Append(one, "a"));
    Sync(one);
    EXPECT_EQ(one.partition->high_watermark(), offline ? 1 : 0);
  }
}

TEST_F(PartitionTest, WhatIsFlushedSurvivesAKillAndThenAPowerCut) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::SimDisk disk(seed);
    ASSERT_TRUE(disk.CreateDirectories("/d"));
    ASSERT_TRUE(disk.SyncDirectory("/"));
    OpenTestLog(disk, "/d", kName, kId);
    disk.KillProcess();
    auto log = OpenTestLog(disk, "/d", kName, kId);
    ASSERT_TRUE(log->AppendAsLeader(BatchOf("a"), 0, 1'000'000));
    auto work = SyncNow(disk, *log);
    log->Flushed(*work);
    ASSERT_EQ(log->flushed_offset(), 1);
    disk.Crash();
    EXPECT_EQ(OpenTestLog(disk, "/d", kName, kId)->end_offset(), 1) << seed;
  }
}

TEST_F(PartitionTest, FailedSyncTakesThePartitionOffline) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  auto work = one.partition->log().TakeSync();
  ASSERT_TRUE(work);
  one.partition->SyncFailed(*work);
  EXPECT_TRUE(one.partition->TakeEffects().Has(Effect::kAbandon));
  EXPECT_EQ(Append(one, "b").error().code, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(
      one.partition->FetchAsConsumer({-1, 0, -1}, 1, true, Instant()).error,
      ErrorCode::kKafkaStorageError);
}

// B-24: what min.insync.replicas says when the records are committed.
TEST_F(PartitionTest, AnIsrThatBecameTooSmallIsToldAfterTheAppend) {
  Replica& one = Make(1, 2);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  EXPECT_EQ(one.partition->CheckAfterCommit(), ErrorCode::kNone);
  one.partition->UpdateConfig({}, 3);
  EXPECT_EQ(one.partition->CheckAfterCommit(),
            ErrorCode::kNotEnoughReplicasAfterAppend);
}

// KIP-966: others may be elected for having all that is committed, so nothing
// more is, even if this broker's own settings would have it.
TEST_F(PartitionTest, NothingIsCommittedWhileOthersAreEligible) {
  Replica& one = Make(1, 1);
  auto alone = Row({1}, 1, 0, 1);
  alone.elr = {2};
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  one.partition->ApplyRow(alone, kStart);
  const auto refused = Append(one, "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotEnoughReplicas);
  ASSERT_TRUE(Append(one, "a", 1));
  Sync(one);
  EXPECT_EQ(one.partition->high_watermark(), 0);
  one.partition->ApplyRow(Row({1}, 1, 0, 2), kStart);
  EXPECT_EQ(one.partition->high_watermark(), 1);
  EXPECT_TRUE(Append(one, "b"));
}

// What it has may be all there is of what was acknowledged.
TEST_F(PartitionTest, AnEligibleLeaderCutsNothingThatIsCorrupt) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  ASSERT_TRUE(Append(one, "b"));
  Sync(one);
  one.partition->FoundCorrupt(1, Error{ErrorCode::kCorruptMessage, "test"});
  auto eligible = Row({2}, 2, 1, 1);
  eligible.elr = {1};
  one.partition->ApplyRow(eligible, kStart);
  ASSERT_FALSE(one.partition->away());
  one.partition->ApplyRow(Row({2, 3}, 2, 1, 2), kStart);
  Cut(one);
  EXPECT_EQ(one.partition->log().end_offset(), 1);
}

// The same, heard of first in the answer to the leader's own proposal.
TEST_F(PartitionTest, AnAnswerThatMakesOthersEligibleStopsCommits) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a", 1));
  Sync(one);
  one.partition->Tick(kStart + seconds(31));
  ASSERT_TRUE(one.partition->isr().pending());
  AlterPartitionResult shrunk;
  shrunk.leader = 1;
  shrunk.leader_epoch = 0;
  shrunk.isr = {1};
  shrunk.partition_epoch = 1;
  shrunk.others_eligible = true;
  one.partition->AlterPartitionAnswered(shrunk, 0, kStart + seconds(31));
  EXPECT_EQ(one.partition->high_watermark(), 0);
}

// B-02, KAFKA-15021: a replica that may join at any moment counts already.
TEST_F(PartitionTest, ACaughtUpReplicaOutsideTheIsrHoldsTheHighWatermark) {
  Replica& one = Make(1, 1);
  Replica& two = Make(2, 1);
  auto image = std::make_shared<metadata::Image>();
  metadata::v1::RecordBatch batch;
  auto* broker = batch.add_records()->mutable_register_broker();
  broker->set_broker_id(2);
  broker->set_broker_epoch(1);
  broker->set_incarnation_id(TestUuid(2).ToBytes());
  broker->set_fenced(false);
  metadata::Delta delta;
  one.env.image = *metadata::ApplyBatch(image, batch, 1, &delta);
  one.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
  ASSERT_EQ(Fetch(two, one).error, ErrorCode::kNone);
  // Asked for, and refused: it is outside, fetching, and missing nothing.
  AlterPartitionResult refused;
  refused.error = ErrorCode::kIneligibleReplica;
  one.partition->AlterPartitionAnswered(refused, 0, kStart);
  ASSERT_THAT(one.partition->isr().maximal(), ElementsAre(1));
  ASSERT_TRUE(Append(one, "a", 1));
  Sync(one);
  EXPECT_EQ(one.partition->high_watermark(), 0);
  one.partition->Tick(kStart + seconds(31));
  EXPECT_EQ(one.partition->high_watermark(), 1) << "it is late by now";
}

TEST_F(PartitionTest, ATimestampFindsNothingThatIsNotCommitted) {
  Replica& one = Make(1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  ASSERT_EQ(one.partition->high_watermark(), 0);
  EXPECT_EQ(one.partition->FindOffset(0, -1)->offset, -1);
}

// B-33
TEST_F(PartitionTest, AnUncleanLeaderReportsThatItHasRecovered) {
  Replica& one = Make(1, 1);
  auto row = Row({1}, 1, 0, 0);
  row.recovering = true;
  one.partition->ApplyRow(row, kStart);
  const auto effects = one.partition->TakeEffects();
  ASSERT_TRUE(effects.Has(Effect::kPropose));
  ASSERT_EQ(effects.proposal->isr.size(), 1u);
  EXPECT_EQ(effects.proposal->isr[0].id, 1);
}

TEST_F(PartitionTest, RetentionSparesWhatIsNotCommitted) {
  Replica& one = Make(1);
  log::LogConfig config;
  config.segment_bytes = 100;
  config.retention_bytes = 1;
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  one.partition->UpdateConfig(config, 2);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  ASSERT_EQ(one.partition->high_watermark(), 0);
  EXPECT_EQ(*one.partition->ApplyRetention(1'000'000), 0);
  EXPECT_EQ(one.partition->log().start_offset(), 0);
}

// D3: whatever made the log fail, its fetcher and its waiters hear of it.
TEST_F(PartitionTest, AFailedFollowerUnfollows) {
  Replica& two = Make(2);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  EXPECT_TRUE(two.partition->TakeEffects().Has(Effect::kFollow));
  two.disk.FailWrites("t-0");
  const auto at = two.partition->FollowerPosition();
  EXPECT_FALSE(two.partition->AppendFetched(at->asked(),
                                            SharedBytes(BatchOf("a")), 0, 0));
  const auto effects = two.partition->TakeEffects();
  EXPECT_TRUE(effects.Has(Effect::kUnfollow));
  EXPECT_FALSE(effects.Has(Effect::kFollow));
  EXPECT_TRUE(effects.Has(Effect::kWakeReaders));
  EXPECT_TRUE(effects.Has(Effect::kCount));
}

}  // namespace
}  // namespace tidemark::replication
