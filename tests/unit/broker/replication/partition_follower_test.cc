// What a follower makes of its leader's answers: where it is cut, and what it
// does not believe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/partition_fixture.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

TEST_F(PartitionTest, DivergedFollowerIsCutByEpochAndConverges) {
  Replica& one = Make(1, 1);
  Replica& two = Make(2, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "common"));
  Fetch(two, one);
  // 1 takes two records nobody else gets, 2 leads and writes another.
  ASSERT_TRUE(Append(one, "lost 1", 1));
  ASSERT_TRUE(Append(one, "lost 2", 1));
  two.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  ASSERT_TRUE(Append(two, "won"));
  one.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  const FetchAnswer answer = Fetch(one, two);
  ASSERT_TRUE(answer.diverging);
  EXPECT_EQ(one.partition->log().end_offset(), 1);
  Fetch(one, two);
  EXPECT_EQ(one.partition->log().end_offset(), 2);
  EXPECT_EQ(one.partition->log().Read(0, 2, 10000, true)->view(),
            two.partition->log().Read(0, 2, 10000, true)->view());
  EXPECT_EQ(one.stats.truncations_below_high_watermark, 0);
}

// Otherwise it would be waited for for ever.
TEST_F(PartitionTest, ASyncThatEndsWhileTheLogIsAwayCounts) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a", 1));
  const auto work = one.partition->TakeSync();
  ASSERT_TRUE(work);
  one.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  ASSERT_TRUE(one.partition->Diverged({1, 1, 0}, {-1, 0}));
  ASSERT_TRUE(one.partition->away());
  EXPECT_FALSE(one.partition->TakeSync());
  LentLog lent = one.partition->TakeCut();
  ASSERT_TRUE(log::PerformSync(one.disk, *work));
  one.partition->Flushed(*work, kStart);
  one.partition->CutDone(std::move(lent.log),
                         Fail(ErrorCode::kKafkaStorageError, "test"), kStart);
  EXPECT_EQ(one.partition->log().flushed_offset(), 1);
}

TEST_F(PartitionTest, ACutThatFailedHalfWayLeavesNothingBeyondTheLog) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a", 1));
  ASSERT_TRUE(Append(one, "b", 1));
  Sync(one);
  ASSERT_EQ(one.partition->high_watermark(), 2);
  one.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  ASSERT_TRUE(one.partition->Diverged({1, 2, 0}, {-1, 0}));
  LentLog lent = one.partition->TakeCut();
  ASSERT_TRUE(lent.log->TruncateTo(1));
  one.partition->CutDone(std::move(lent.log),
                         Fail(ErrorCode::kKafkaStorageError, "test"), kStart);
  EXPECT_EQ(one.partition->log().end_offset(), 1);
  EXPECT_EQ(one.partition->high_watermark(), 1);
  EXPECT_TRUE(one.partition->FollowerPosition()) << "it is tried again";
}

// A leader that asks for that again and again does not get it at once.
TEST_F(PartitionTest, ACutThatMovesNothingIsToldFromOneThatDoes) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a", 1));
  ASSERT_TRUE(Append(one, "b", 1));
  one.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  const auto cut_to = [&](log::EpochEnd leader) {
    const auto asked = one.partition->FollowerPosition()->asked();
    EXPECT_TRUE(one.partition->Diverged(asked, leader));
    LentLog lent = one.partition->TakeCut();
    const Status cut = CarryOut(lent.cut, *lent.log);
    return one.partition->CutDone(std::move(lent.log), cut, kStart);
  };
  EXPECT_FALSE(cut_to({5, 9}));
  EXPECT_EQ(one.partition->log().end_offset(), 2);
  EXPECT_TRUE(cut_to({0, 1}));
  EXPECT_EQ(one.partition->log().end_offset(), 1);
}

TEST_F(PartitionTest, WhatIsConfiguredWhileTheLogIsAwayCounts) {
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a", 1));
  one.partition->ApplyRow(Row({2}, 2, 1, 1), kStart);
  ASSERT_TRUE(one.partition->Diverged({1, 1, 0}, {-1, 0}));
  log::LogConfig never;
  never.flush_messages = INT64_MAX;
  LentLog lent = one.partition->TakeCut();
  one.partition->UpdateConfig(never, 1);
  one.partition->CutDone(std::move(lent.log),
                         Fail(ErrorCode::kKafkaStorageError, "test"), kStart);
  EXPECT_EQ(one.partition->log().flushed_offset(), 1) << "appended is enough";
}

// What was read of the log before it was cut must not cut it once more, but
// what is below the cut is as bad as it was.
TEST_F(PartitionTest, WhatIsFoundCorruptWhileTheLogIsAwayIsCutIfItIsLeft) {
  const Error corrupt{ErrorCode::kCorruptMessage, "test"};
  Replica& one = Make(1, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append(one, "a"));
  Sync(one);
  one.partition->ApplyRow(Row({2, 3}, 2, 1, 1), kStart);
  const auto cut_and_find = [&](Offset found) {
    ASSERT_TRUE(one.partition->away());
    LentLog lent = one.partition->TakeCut();
    one.partition->FoundCorrupt(found, corrupt);
    const Status cut = CarryOut(lent.cut, *lent.log);
    one.partition->TakeEffects();
    one.partition->CutDone(std::move(lent.log), cut, kStart);
  };
  one.partition->FoundCorrupt(3, corrupt);
  one.partition->ApplyRow(Row({2, 3}, 2, 1, 2), kStart);
  cut_and_find(4);
  EXPECT_EQ(one.partition->log().end_offset(), 3);
  EXPECT_EQ(one.partition->corrupt_from(), std::nullopt);
  EXPECT_FALSE(one.partition->TakeEffects().Has(Effect::kTellDamage));

  one.partition->FoundCorrupt(2, corrupt);
  one.partition->ApplyRow(Row({2, 3}, 2, 1, 3), kStart);
  cut_and_find(1);
  EXPECT_EQ(one.partition->log().end_offset(), 2);
  EXPECT_EQ(one.partition->corrupt_from(), 1);
  EXPECT_TRUE(one.partition->TakeEffects().Has(Effect::kTellDamage));
  one.partition->ApplyRow(Row({2, 3}, 2, 1, 4), kStart);
  Cut(one);
  EXPECT_EQ(one.partition->log().end_offset(), 1);
  EXPECT_EQ(one.partition->corrupt_from(), std::nullopt);
}

TEST_F(PartitionTest, AnEpochLedInVainIsCutOff) {
  Replica& one = Make(1, 1);
  Replica& two = Make(2, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "common"));
  Fetch(two, one);
  ASSERT_TRUE(Append(one, "of epoch 0"));
  // 2 leads epoch 1 without writing; then 1, which has more of epoch 0.
  two.partition->ApplyRow(Row({1, 2}, 2, 1, 1), kStart);
  one.partition->ApplyRow(Row({1, 2}, 1, 2, 2), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 2, 2), kStart);
  EXPECT_TRUE(Fetch(two, one).diverging);
  EXPECT_EQ(two.partition->log().end_offset(), 1) << "nothing to cut";
  Fetch(two, one);
  EXPECT_EQ(two.partition->log().end_offset(), 2);
}

TEST_F(PartitionTest, DivergingFetchDoesNotCountAsProgress) {
  Replica& one = Make(1, 1);
  Replica& two = Make(2, 1);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "lost", 1));
  Sync(one);
  two.partition->ApplyRow(Row({2, 1}, 2, 1, 1), kStart);
  ASSERT_TRUE(Append(two, "won"));
  Sync(two);
  one.partition->ApplyRow(Row({2, 1}, 2, 1, 1), kStart);
  ASSERT_TRUE(Fetch(one, two).diverging);
  EXPECT_EQ(two.partition->high_watermark(), 0);
}

TEST_F(PartitionTest, AnswersOfAnotherEpochOrPositionAreRefused) {
  Replica& one = Make(1);
  Replica& two = Make(2);
  one.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  two.partition->ApplyRow(Row({1, 2}, 1, 0, 0), kStart);
  ASSERT_TRUE(Append(one, "a"));
  auto bytes = *one.partition->log().Read(0, 1, 1000, true);
  EXPECT_FALSE(two.partition->AppendFetched({0, 1, -1}, bytes, 0, 0));
  two.partition->ApplyRow(Row({1, 2}, 1, 1, 1), kStart);
  EXPECT_FALSE(two.partition->AppendFetched({0, 0, -1}, bytes, 0, 0));
  EXPECT_FALSE(two.partition->Diverged({0, 0, -1}, {0, 0}));
  // The same place in another log: cut and filled again meanwhile.
  EXPECT_FALSE(two.partition->Diverged({1, 0, 0}, {0, 0}));
  EXPECT_TRUE(two.partition->AppendFetched({1, 0, -1}, bytes, 0, 0));
}

TEST_F(PartitionTest, AFollowerBeforeTheLeadersStartStartsOver) {
  Replica& one = Make(1, 1);
  Replica& two = Make(2, 1);
  auto alone = Row({1}, 1, 0, 0);
  one.partition->ApplyRow(alone, kStart);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append(one, "x"));
  Sync(one);
  ASSERT_TRUE(one.partition->log().AdvanceStartOffset(3));
  two.partition->ApplyRow(alone, kStart);
  EXPECT_EQ(Fetch(two, one).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(two.partition->log().start_offset(), 3);
  Fetch(two, one);
  EXPECT_EQ(two.partition->log().end_offset(), 5);
}

}  // namespace
}  // namespace tidemark::replication
