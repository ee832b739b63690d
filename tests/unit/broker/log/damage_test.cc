// What fuzzing has found: bytes of disks and peers that did harm.

#include <gtest/gtest.h>

#include "broker/log/checkpoint.h"
#include "broker/log/log_manager.h"
#include "broker/log/offset_index.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using DamageTest = LogTest;

TEST_F(DamageTest, AnOffsetThatCannotBeIsDamage) {
  const std::string beyond = std::to_string(kMaxOffset + 1);
  EXPECT_FALSE(DecodeOffsets("0\n1\nt 0 " + beyond + "\n"));
  EXPECT_TRUE(DecodeOffsets("0\n1\nt 0 " + std::to_string(kMaxOffset) + "\n"));
  EXPECT_FALSE(
      ParseSegmentFileName(SegmentFileName(INT64_MAX, ".log"), ".log"));
  EXPECT_TRUE(
      ParseSegmentFileName(SegmentFileName(kMaxOffset, ".log"), ".log"));
}

// A file of such a name made the first append a failed CHECK.
TEST_F(DamageTest, ASegmentAtTheEndOfAllOffsetsIsNone) {
  ASSERT_TRUE(disk_.CreateDirectories(kDir));
  ASSERT_TRUE(
      disk_.Open(std::string(kDir) + "/09223372036854775807.log", true));
  ASSERT_TRUE(Open());
  EXPECT_EQ(log_->end_offset(), 0);
  EXPECT_TRUE(Append(Batch(3)));
}

// A leader's start, or the base of a batch: CHECK failed at a follower.
TEST_F(DamageTest, ALogDoesNotStartWhereNoOffsetIs) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(3)));
  for (const Offset offset : {Offset{-1}, INT64_MIN, INT64_MAX}) {
    const auto started = log_->TruncateFullyAndStartAt(offset);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::kOffsetOutOfRange);
  }
  EXPECT_FALSE(log_->TruncateTo(-1));
  EXPECT_EQ(log_->end_offset(), 3);
  EXPECT_FALSE(log_->failed());
}

// A follower acknowledged what its own recovery cut.
TEST_F(DamageTest, WhatAScanWouldCutIsNotTakenFromALeader) {
  ASSERT_TRUE(Open());
  const auto gap =
      log_->AppendAsFollower(LeaderBatch(0, 2, 1) + LeaderBatch(7, 2, 1));
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code, ErrorCode::kOffsetOutOfRange);
  log_.reset();
  options_.config.compacted = true;
  ASSERT_TRUE(Open());
  const Offset next = log_->end_offset();
  EXPECT_TRUE(log_->AppendAsFollower(LeaderBatch(next, 2, 1) +
                                     LeaderBatch(next + 7, 2, 1)));
  const Offset end = log_->end_offset();
  EXPECT_EQ(end, next + 9);
  EXPECT_FALSE(log_->AppendAsFollower(LeaderBatch(end, 2, 1) +
                                      LeaderBatch(end + 2 + INT32_MAX, 2, 1)));
  const Offset kept = log_->end_offset();
  ASSERT_TRUE(log_->Close());
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->end_offset(), kept);
}

// A consumer was promised gigabytes.
TEST_F(DamageTest, AnEntryOfAnIndexThatPointsAnywhereEndsNoSlice) {
  OffsetIndex index(disk_, "/data/some.index", 0);
  ASSERT_TRUE(index.Append(5, 100));
  ASSERT_TRUE(index.Append(9, 0xaa000000));
  ASSERT_TRUE(index.Append(12, 300));
  EXPECT_LE(index.FloorOfPosition(250).value(), 250u);
  EXPECT_EQ(index.FloorOfPosition(350).value(), 300u);
}

// It took the whole directory offline.
TEST_F(DamageTest, AFileThatIsNamedLikeAPartitionIsNone) {
  ASSERT_TRUE(disk_.Open("/data/backup-2024", true));
  LogManagerOptions options;
  options.dirs = {"/data"};
  const auto manager = LogManager::Open(disk_, options, kNow);
  ASSERT_TRUE(manager);
  EXPECT_TRUE((*manager)->OfflineDirectories().empty());
  EXPECT_TRUE((*manager)->LoadedPartitions().empty());
}

}  // namespace
}  // namespace tidemark::log
