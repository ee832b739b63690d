// What fuzzing has found: bytes of disks and peers that did harm.

#include <gtest/gtest.h>

#include "broker/log/checkpoint.h"
#include "broker/log/log_manager.h"
#include "broker/log/offset_index.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

class DamageTest : public LogTest {
 protected:
  std::string Path(const std::string& suffix) {
    return std::string(kDir) + "/00000000000000000000" + suffix;
  }
  // The batch of `from`, of which there are two records ten milliseconds apart
  // from the next, is found by offset and by time, and as a slice.
  void ExpectFound(const std::string& log, Offset from) {
    const size_t size =
        log.size() / (static_cast<size_t>(log_->end_offset()) / 2);
    const size_t at = static_cast<size_t>(from / 2) * size;
    const auto read = log_->Read(from, INT64_MAX, size, true);
    ASSERT_TRUE(read) << ToString(read.error());
    EXPECT_EQ(read->view(), log.substr(at, size));
    const auto found = log_->FindByTimestamp(kNow + from / 2 * 10);
    ASSERT_TRUE(found) << ToString(found.error());
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->offset, from / 2 * 2);
    auto slice = log_->Find(from, INT64_MAX, 30 * size, 1);
    ASSERT_TRUE(slice) << ToString(slice.error());
    if (!*slice) return;
    EXPECT_EQ((*slice)->position, at);
    EXPECT_EQ((*slice)->size % size, 0u);
  }
};

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

// A follower acknowledged what its own recovery cut. What a leader has
// compacted is taken whatever the topic's settings are by now, and a scan knows
// of it.
TEST_F(DamageTest, WhatAScanWouldCutIsNotTakenFromALeader) {
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
  const auto all = [](const auto&) -> Result<bool> { return true; };
  EXPECT_EQ(index.FloorOfPosition(250, all).value(), 100u);
  EXPECT_LE(index.FloorOfPosition(350, all).value(), 350u);
}

// It passed for rot of the log itself: the leader resigned, and producers were
// forgotten. Every entry in turn, in every way that makes a difference.
TEST_F(DamageTest, AnIndexThatHasRottedIsNotBelieved) {
  options_.config.index_interval_bytes = 300;
  ASSERT_TRUE(Open());
  constexpr int kBatches = 400;
  for (int i = 0; i < kBatches; ++i)
    ASSERT_TRUE(Append(Batch(2, kNow + 10 * i)));
  Flush();
  Reopen();  // all entries are on the disk
  const std::string log = ReadAll();
  const auto slurp = [&](const std::string& suffix) {
    return io::ReadFile(disk_, Path(suffix)).value();
  };
  const std::string index = slurp(".index"), times = slurp(".timeindex");
  ASSERT_GT(index.size(), 100u * OffsetIndex::kEntrySize);
  ASSERT_GT(times.size(), 100u * TimeIndex::kEntrySize);
  for (const Offset from : {Offset{3}, Offset{401}, Offset{798}}) {
    for (const bool time : {false, true}) {
      const size_t size = time ? times.size() : index.size();
      for (size_t byte = 0; byte < size; ++byte) {
        // The last entries stay: they are read at the start.
        if (byte + (time ? TimeIndex::kEntrySize : OffsetIndex::kEntrySize) >=
            size) {
          break;
        }
        const int bit = static_cast<int>((byte * 5 + byte / 8) % 8);
        disk_.FlipBit(Path(time ? ".timeindex" : ".index"), byte, bit);
        ExpectFound(log, from);
        if (HasFailure()) GTEST_FAIL() << "byte " << byte << " bit " << bit;
        disk_.FlipBit(Path(time ? ".timeindex" : ".index"), byte, bit);
      }
    }
  }
  EXPECT_FALSE(log_->failed());
  // What was found to be rotten is made anew at a clean stop.
  for (size_t byte = 0; byte < index.size() / 2; byte += 8) {
    disk_.FlipBit(Path(".index"), byte + 7, 1);
    disk_.FlipBit(Path(".timeindex"), byte / 8 * 12 + 11, 1);
  }
  ExpectFound(log, 401);
  Reopen();
  EXPECT_EQ(slurp(".index"), index);
  EXPECT_EQ(slurp(".timeindex"), times);
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
