// The pure decisions: ISR, high watermark, truncation, follower progress.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/replication/follower_state.h"
#include "broker/replication/high_watermark.h"
#include "broker/replication/isr.h"
#include "broker/replication/truncation.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::optional<Offset> HighWatermarkOf(Offset leader_flushed,
                                      const std::vector<Offset>& others,
                                      size_t committed_isr, size_t min_isr) {
  HighWatermarkRule rule(leader_flushed, committed_isr >= min_isr);
  for (const Offset offset : others) rule.Count(offset);
  return rule.Result();
}

TEST(HighWatermark, IsTheLeastFlushedOffset) {
  EXPECT_EQ(HighWatermarkOf(9, {7, 5}, 3, 2), 5);
}

TEST(HighWatermark, CountsWhatTheLeaderItselfHasFlushed) {
  EXPECT_EQ(HighWatermarkOf(4, {9, 9}, 3, 2), 4);
}

TEST(HighWatermark, WaitsForAMemberThatHasNotFetchedInThisEpoch) {
  EXPECT_EQ(HighWatermarkOf(9, {7, -1}, 3, 2), std::nullopt);
}

TEST(HighWatermark, StandsStillBelowMinIsr) {
  EXPECT_EQ(HighWatermarkOf(9, {}, 1, 2), std::nullopt);
  EXPECT_EQ(HighWatermarkOf(9, {}, 2, 2), 9);
}

TEST(Isr, PendingExpandCountsAtOnce) {
  Isr isr({1, 2}, 5, 10, false);
  isr.Propose({1, 2, 3});
  EXPECT_THAT(isr.maximal(), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(isr.committed(), ElementsAre(1, 2));
}

TEST(Isr, PendingShrinkCountsOnlyWhenKnown) {
  Isr isr({1, 2, 3}, 5, 10, false);
  isr.Propose({1, 2});
  EXPECT_THAT(isr.maximal(), UnorderedElementsAre(1, 2, 3));
  AlterPartitionResult result;
  result.leader_epoch = 5;
  result.isr = {1, 2};
  result.partition_epoch = 11;
  EXPECT_EQ(isr.Answered(result, 10), AlterOutcome::kApplied);
  EXPECT_THAT(isr.maximal(), ElementsAre(1, 2));
}

TEST(Isr, AnswersByError) {
  struct Row {
    ErrorCode error;
    AlterOutcome outcome;
    bool pending;
  };
  const Row rows[] = {
      {ErrorCode::kIneligibleReplica, AlterOutcome::kReverted, false},
      {ErrorCode::kOperationNotAttempted, AlterOutcome::kReverted, false},
      {ErrorCode::kInvalidUpdateVersion, AlterOutcome::kAwaiting, true},
      {ErrorCode::kFencedLeaderEpoch, AlterOutcome::kAwaiting, true},
      {ErrorCode::kUnknownTopicId, AlterOutcome::kAwaiting, true},
      {ErrorCode::kNewLeaderElected, AlterOutcome::kAwaiting, true},
      {ErrorCode::kNotController, AlterOutcome::kResend, true},
      {ErrorCode::kRequestTimedOut, AlterOutcome::kResend, true},
  };
  for (const Row& row : rows) {
    Isr isr({1, 2}, 5, 10, false);
    isr.Propose({1});
    AlterPartitionResult result;
    result.error = row.error;
    EXPECT_EQ(isr.Answered(result, 10), row.outcome) << ErrorName(row.error);
    EXPECT_EQ(isr.pending(), row.pending) << ErrorName(row.error);
  }
}

TEST(Isr, AnswerOfAnotherLeaderEpochIsIgnored) {
  Isr isr({1, 2}, 5, 10, false);
  isr.Propose({1});
  AlterPartitionResult result;
  result.leader_epoch = 4;
  result.isr = {1};
  result.partition_epoch = 11;
  EXPECT_EQ(isr.Answered(result, 10), AlterOutcome::kIgnored);
  EXPECT_TRUE(isr.pending());
}

TEST(Isr, AnswerToAnOvertakenQuestionDoesNotTouchTheNextOne) {
  Isr isr({1, 2}, 5, 10, false);
  isr.Propose({1});
  isr.Committed({1, 2}, 12, false);
  isr.Propose({1});
  AlterPartitionResult stale;
  stale.error = ErrorCode::kInvalidUpdateVersion;
  EXPECT_EQ(isr.Answered(stale, 10), AlterOutcome::kIgnored);
  AlterPartitionResult refused;
  refused.error = ErrorCode::kIneligibleReplica;
  EXPECT_EQ(isr.Answered(refused, 10), AlterOutcome::kIgnored);
  EXPECT_TRUE(isr.pending());
}

TEST(Isr, NewerMetadataWinsOlderAndEqualAreIgnored) {
  Isr isr({1, 2}, 5, 10, false);
  isr.Propose({1, 2, 3});
  isr.Committed({1}, 10, false);
  EXPECT_TRUE(isr.pending());
  isr.Committed({1}, 9, false);
  EXPECT_THAT(isr.committed(), ElementsAre(1, 2));
  isr.Committed({1, 3}, 11, false);
  EXPECT_FALSE(isr.pending());
  EXPECT_THAT(isr.maximal(), ElementsAre(1, 3));
}

TEST(MayJoinIsr, EveryGuardCounts) {
  metadata::BrokerImage broker;
  broker.id = 2;
  broker.epoch = 7;
  broker.fenced = false;
  const ExpandCandidate good{100, 7, &broker};
  EXPECT_TRUE(MayJoinIsr(good, 100, 90));
  EXPECT_FALSE(MayJoinIsr(good, 101, 90)) << "behind the high watermark";
  EXPECT_FALSE(MayJoinIsr(good, 100, 101)) << "behind the epoch's start";
  EXPECT_FALSE(MayJoinIsr({-1, 7, &broker}, 0, 0)) << "has not fetched";
  EXPECT_FALSE(MayJoinIsr({100, 6, &broker}, 100, 90)) << "an earlier life";
  EXPECT_FALSE(MayJoinIsr({100, 7, nullptr}, 100, 90)) << "not registered";
  broker.fenced = true;
  EXPECT_FALSE(MayJoinIsr(good, 100, 90)) << "fenced";
  broker.fenced = false;
  broker.in_controlled_shutdown = true;
  EXPECT_FALSE(MayJoinIsr(good, 100, 90)) << "shutting down";
}

constexpr Instant kStart{std::chrono::hours(1)};

TEST(FollowerState, IdleAndCaughtUpStaysCaughtUp) {
  FollowerState state(kStart);
  state.Fetched(10, 10, 1, 10, kStart);
  EXPECT_TRUE(state.CaughtUp(10, kStart + seconds(1000), seconds(30)));
}

TEST(FollowerState, BehindForLongerThanTheLimitIsNotCaughtUp) {
  FollowerState state(kStart);
  state.Fetched(5, 5, 1, 10, kStart);
  EXPECT_TRUE(state.CaughtUp(10, kStart + seconds(30), seconds(30)));
  EXPECT_FALSE(state.CaughtUp(10, kStart + seconds(31), seconds(30)));
}

TEST(FollowerState, UnderLoadPassingAnEarlierEndCounts) {
  FollowerState state(kStart);
  Offset end = 10;
  // Always one round behind, never at the end.
  for (int i = 0; i < 100; ++i, end += 10) {
    state.Fetched(end - 10, end - 10, 1, end, kStart + seconds(i));
  }
  EXPECT_TRUE(state.CaughtUp(end, kStart + seconds(105), seconds(10)));
}

TEST(FollowerState, ADiskThatHangsIsLag) {
  FollowerState state(kStart);
  for (int i = 0; i < 40; ++i) {
    state.Fetched(100 + i, 100, 1, 100 + i, kStart + seconds(i));
  }
  EXPECT_FALSE(state.CaughtUp(140, kStart + seconds(40), seconds(30)));
}

// B-18: nobody visits an idle partition; the session's contact is what counts.
TEST(FollowerState, AnIdleFollowerWasCaughtUpWhenItsSessionLastCame) {
  FollowerState state(kStart);
  state.Fetched(10, 10, 1, 10, kStart);
  const Instant later = kStart + seconds(3600);
  state.LeaderAppended(10, later - seconds(1));
  EXPECT_TRUE(state.CaughtUp(11, later, seconds(30)));
  EXPECT_FALSE(state.CaughtUp(11, later + seconds(30), seconds(30)));
}

TEST(FollowerState, AContactDoesNotExcuseWhatWasMissingBefore) {
  FollowerState state(kStart);
  state.Fetched(9, 9, 1, 10, kStart);
  const Instant later = kStart + seconds(60);
  state.LeaderAppended(10, later);
  EXPECT_FALSE(state.CaughtUp(11, later, seconds(30)));
}

TEST(FollowerState, NeverClaimsMoreFlushedThanFetched) {
  FollowerState state(kStart);
  state.Fetched(8, 20, 1, 10, kStart);
  EXPECT_EQ(state.flushed_offset(), 8);
}

TEST(FollowerState, AnOvertakenFetchChangesNothing) {
  FollowerState state(kStart);
  state.Fetched(8, 8, 1, 10, kStart);
  state.Fetched(5, 5, 1, 10, kStart);
  EXPECT_EQ(state.flushed_offset(), 8);
  EXPECT_EQ(state.end_offset(), 8);
}

TEST(FollowerState, ANewLifeForgetsWhatTheOldOneHad) {
  FollowerState state(kStart);
  state.Fetched(8, 8, 1, 10, kStart);
  state.Fetched(5, 5, 2, 10, kStart);
  EXPECT_EQ(state.flushed_offset(), 5);
}

struct CheckRow {
  const char* name;
  Offset fetch_offset;
  LeaderEpoch last_fetched_epoch;
  log::EpochEnd own;
  FetchPosition position;
};

// A leader whose log is 10..100, newest epoch 7.
TEST(CheckFetchPosition, Table) {
  const CheckRow rows[] = {
      {"at the end", 100, 7, {7, 100}, FetchPosition::kValid},
      {"inside", 50, 5, {5, 60}, FetchPosition::kValid},
      {"at an epoch's end", 60, 5, {5, 60}, FetchPosition::kValid},
      {"past an epoch's end", 61, 5, {5, 60}, FetchPosition::kDiverging},
      {"epoch unknown here", 55, 6, {5, 60}, FetchPosition::kDiverging},
      {"past the end", 101, 7, {7, 100}, FetchPosition::kDiverging},
      {"past the end, no epoch", 101, -1, {}, FetchPosition::kOutOfRange},
      {"before the start", 9, 3, {3, 10}, FetchPosition::kOutOfRange},
      {"before the start, no epoch", 0, -1, {}, FetchPosition::kOutOfRange},
      {"empty follower at start", 10, -1, {}, FetchPosition::kValid},
      {"older than all, at start", 10, 2, {2, 10}, FetchPosition::kValid},
      {"older than all, later", 20, 2, {2, 10}, FetchPosition::kDiverging},
      {"newer than all", 50, 8, {}, FetchPosition::kOutOfRange},
  };
  for (const CheckRow& row : rows) {
    const FetchCheck check = CheckFetchPosition(
        row.fetch_offset, row.last_fetched_epoch, row.own, 7, 10, 100);
    EXPECT_EQ(check.position, row.position) << row.name;
  }
}

TEST(TruncationTarget, Table) {
  struct Row {
    const char* name;
    log::EpochEnd leader, own;
    Offset target;
  };
  // A follower whose log is 10..100.
  const Row rows[] = {
      {"same epoch, leader shorter", {5, 60}, {5, 80}, 60},
      {"same epoch, leader longer", {5, 90}, {5, 80}, 80},
      {"follower lacks the epoch", {5, 60}, {3, 40}, 40},
      {"never beyond the end", {5, 500}, {5, 100}, 100},
      {"never before the start", {5, 5}, {5, 80}, 10},
      {"nothing shared", {2, 50}, {-1, -1}, 10},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(TruncationTarget(row.leader, row.own, 10, 100), row.target)
        << row.name;
  }
}

}  // namespace
}  // namespace tidemark::replication
