#include "broker/log/compaction.h"

#include "broker/log/scrubber.h"
#include "tests/unit/broker/log/cleaning_fixture.h"

namespace tidemark::log {
namespace {

using Outcome = LogCleaning::Outcome;

TEST_F(CleaningTest, OnlyTheLastOfEachKeyStays) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Append(Records(
        {{"a", std::to_string(i)}, {"b" + std::to_string(i % 4), "v"}})));
  }
  Roll();
  const Table before = TableOf(ReadLog(*log_, true));
  const int64_t bytes = log_->size_bytes();
  const Offset end = log_->end_offset();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  const Seen after = ReadLog(*log_, true);
  EXPECT_EQ(TableOf(after), before);
  EXPECT_EQ(log_->end_offset(), end);
  EXPECT_LT(log_->size_bytes(), bytes - 2000);
  EXPECT_FALSE(after.contains(0));
  EXPECT_EQ(after.at(78).value, "39");
  // Every offset may be asked for.
  for (Offset from = 0; from < end; ++from) {
    const auto read = log_->Read(from, INT64_MAX, 1, true).value();
    ASSERT_FALSE(read.empty()) << from;
    EXPECT_GT(record::ParseBatchHeader(read.view()).value().NextOffset(), from);
  }
  // The dirty part is that which was filled since.
  const auto again = Find(*log_).value();
  ASSERT_TRUE(again);
  EXPECT_GT(again->first_dirty, 78);
  EXPECT_EQ(again->dirty_bytes, 0u);
  EXPECT_FALSE(again->Due());
  EXPECT_EQ(
      CountFiles(".cleaned") + CountFiles(".swap") + CountFiles(".deleted"),
      0u);
}

TEST_F(CleaningTest, NeitherWhatIsWrittenToNorWhatIsNotStableIsCleaned) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Append(Records({{"a", "first"}})));
  ASSERT_TRUE(Append(Records({{"a", "open"}}, Transactional(9, 0))));
  const Offset open = log_->end_offset() - 1;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Append(Records({{"a", "last"}})));
  Roll();
  const auto what = Find(*log_).value();
  ASSERT_TRUE(what);
  EXPECT_LE(what->segments.back().end, open);
  const auto low = log_->FindCleanable(15, now_).value();
  EXPECT_TRUE(!low || low->segments.back().end <= 15);
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  const Seen seen = ReadLog(*log_, false);
  // The map holds what is cleaned only: the last one there stays.
  EXPECT_EQ(std::count_if(seen.begin(), seen.end(),
                          [&](const auto& one) {
                            return one.first < what->segments.back().end &&
                                   one.second.key == "a";
                          }),
            1);
  EXPECT_TRUE(seen.contains(open));
}

TEST_F(CleaningTest, WhatIsNotSyncedIsNotCleaned) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  EXPECT_FALSE(Find(*log_).value());
  Flush();
  EXPECT_TRUE(Find(*log_).value());
}

TEST_F(CleaningTest, YoungRecordsStayAndOldOnesMustNot) {
  options_.config.min_compaction_lag_ms = 500;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  const Offset young = log_->end_offset();
  now_ += 1000;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  const auto what = Find(*log_).value();
  ASSERT_TRUE(what);
  EXPECT_LE(what->segments.back().end, young);
  EXPECT_FALSE(what->overdue);
  options_.config.max_compaction_lag_ms = 700;
  log_->UpdateConfig(options_.config);
  EXPECT_TRUE(Find(*log_).value()->overdue);
}

// KIP-354: a segment that gets few records would never be cleaned.
TEST_F(CleaningTest, ASegmentRollsWhenItsRecordsAreOverdue) {
  options_.config.max_compaction_lag_ms = 700;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"a", "v"}})));
  now_ += 701;
  ASSERT_TRUE(Append(Records({{"a", "v"}})));
  EXPECT_EQ(CountFiles(".log"), 2u);
}

TEST_F(CleaningTest, ATombstoneIsSeenForItsTimeAndThenGone) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"a", "v"}, {"b", "v"}})));
  ASSERT_TRUE(Append(Records({{"a", std::nullopt}})));
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  Seen seen = ReadLog(*log_, true);
  EXPECT_FALSE(seen.contains(0));
  EXPECT_TRUE(seen.contains(1));
  EXPECT_TRUE(seen.contains(2));
  now_ += 999;
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_TRUE(ReadLog(*log_, true).contains(2));
  now_ += 1;
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  seen = ReadLog(*log_, true);
  EXPECT_FALSE(seen.contains(2));
  EXPECT_TRUE(seen.contains(1));
}

TEST_F(CleaningTest, AbortedRecordsGoAndMarkersFollow) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"a", "kept"}})));
  ASSERT_TRUE(
      Append(Records({{"a", "aborted"}, {"x", "x"}}, Transactional(9, 0))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, false), 0, now_));
  ASSERT_TRUE(Append(Records({{"b", "committed"}}, Transactional(9, 2))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, true), 0, now_));
  Roll();
  ASSERT_EQ(ReadLog(*log_, true).at(0).value, "kept");
  const auto markers = [&] {
    int count = 0;
    const std::string all = ReadAll();
    record::BatchIterator it(all);
    while (auto view = it.Next().value()) count += view->header.IsControl();
    return count;
  };
  for (int pass = 0; pass < 4; ++pass) {
    ASSERT_EQ(Clean().value(), Outcome::kDone);
    const Seen seen = ReadLog(*log_, false);
    EXPECT_EQ(seen.at(0).value, "kept");
    EXPECT_FALSE(seen.contains(1));
    EXPECT_FALSE(seen.contains(2));
    EXPECT_EQ(seen.at(4).value, "committed");
    EXPECT_EQ(TableOf(ReadLog(*log_, true)).at("b"), "committed");
    // The first pass sees the records, the second gives the marker a time.
    EXPECT_EQ(markers(), pass < 2 ? 2 : 1) << pass;
    EXPECT_EQ(log_->AbortedIn(0, log_->end_offset())->size(), pass < 2 ? 1 : 0);
    now_ += 1001;
    Roll();
  }
}

// Where the index tells of a transaction and no marker ends it, clients leave
// out all that its producer commits later.
TEST_F(CleaningTest, ATransactionWhoseMarkerIsGoneIsInNoIndex) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"x", "x"}}, Transactional(9, 0))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, false), 0, now_));
  ASSERT_TRUE(Append(Records({{"b", "committed"}}, Transactional(9, 1))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, true), 0, now_));
  for (int pass = 0; pass < 4; ++pass) {
    Roll();
    ASSERT_EQ(Clean().value(), Outcome::kDone);
    EXPECT_EQ(ReadLog(*log_, true).at(2).value, "committed") << pass;
    now_ += 1001;
  }
}

TEST_F(CleaningTest, ABatchCacheServesNothingThatWasCleaned) {
  ASSERT_TRUE(Open());
  log_->KeepNewest(std::make_shared<BatchCache>(1 << 20));
  ASSERT_TRUE(Append(Records({{"x", "x"}}, Transactional(9, 0))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, false), 0, now_));
  Roll();
  const Offset end = log_->end_offset();
  ASSERT_TRUE(log_->ReadNewest(0, end, 1 << 20, true));
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_FALSE(log_->ReadNewest(0, end, 1 << 20, true));
  EXPECT_FALSE(log_->ReadNewest(1, end, 1 << 20, true));
  EXPECT_TRUE(log_->ReadNewest(end - 1, end, 1 << 20, true));
}

TEST_F(CleaningTest, ASequenceIsKnownAlsoAfterItsRecordsAreGone) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"a", "1"}, {"a", "2"}}, Idempotent(5, 0))));
  ASSERT_TRUE(Append(Records({{"a", "3"}, {"a", "4"}}, Idempotent(5, 2))));
  ASSERT_TRUE(Append(Records({{"a", "5"}})));
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_FALSE(ReadLog(*log_, true).contains(3));
  // Also for whoever has nothing but the batches.
  ASSERT_TRUE(log_->Close());
  const auto names = disk_.List(kDir).value();
  for (const std::string& name : names) {
    if (!name.ends_with(".snapshot")) continue;
    ASSERT_TRUE(disk_.Remove(std::string(kDir) + "/" + name));
  }
  ASSERT_TRUE(Open(true));
  const auto again =
      Append(Records({{"a", "3"}, {"a", "4"}}, Idempotent(5, 2)));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_FALSE(Append(Records({{"a", "9"}}, Idempotent(5, 6))));
  EXPECT_TRUE(Append(Records({{"a", "6"}}, Idempotent(5, 4))));
}

TEST_F(CleaningTest, AMapThatIsFullCleansWhatItHolds) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(Append(Records({{"k" + std::to_string(i % 20), "v"}})));
  }
  Roll();
  const Table before = TableOf(ReadLog(*log_, true));
  Offset reached = 0;
  int passes = 0;
  while (Find(*log_).value()->dirty_bytes > 0) {
    ASSERT_LT(++passes, 60);
    ASSERT_EQ(Clean(*log_, {}, 24 * 8).value(), Outcome::kDone);
    EXPECT_EQ(TableOf(ReadLog(*log_, true)), before);
    ASSERT_GT(Find(*log_).value()->first_dirty, reached);
    reached = Find(*log_).value()->first_dirty;
  }
  EXPECT_GT(passes, 3);
}

TEST_F(CleaningTest, SmallSegmentsBecomeOne) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  const size_t before = CountFiles(".log");
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_LT(CountFiles(".log"), before);
  // What no record is left of holds an empty batch at most.
  EXPECT_EQ(Find(*log_).value()->segments.front().base, 0);
}

TEST_F(CleaningTest, ALogThatLosesNothingKeepsItsFiles) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(
        Append(Records({{"k" + std::to_string(i), std::string(400, 'v')}})));
  }
  Flush();
  ASSERT_EQ(Clean(*log_, [] { ADD_FAILURE() << "nothing to replace"; }).value(),
            Outcome::kDone);
  EXPECT_GT(Find(*log_).value()->first_dirty, 0);
  EXPECT_EQ(CountFiles(".cleaned"), 0u);
}

TEST_F(CleaningTest, ACutAmidACleaningMakesItVoid) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  const auto outcome = Clean(*log_, [&] { ASSERT_TRUE(log_->TruncateTo(12)); });
  EXPECT_EQ(outcome.value(), Outcome::kChanged);
  EXPECT_EQ(ReadLog(*log_, false).size(), 12u);
  EXPECT_EQ(CountFiles(".cleaned"), 0u);
  CrashAndReopen();
  EXPECT_EQ(log_->end_offset(), 12);
}

// As a replica's that was moved to another directory.
TEST_F(CleaningTest, ACopyOfALogTakesNothingThatWasMadeOfTheOther) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  OpenOptions options = options_;
  options.dir = "/other/copy-0";
  auto copy = OpenLog(disk_, options, kNow).value();
  while (copy->end_offset() < log_->end_offset()) {
    const auto bytes =
        log_->Read(copy->end_offset(), INT64_MAX, 1, true).value();
    ASSERT_TRUE(copy->AppendAsFollower(bytes.view()));
  }
  while (auto work = copy->TakeSync()) {
    ASSERT_TRUE(PerformSync(disk_, *work));
    copy->Flushed(*work);
  }
  auto keys = KeyOffsets::Make(1 << 16, 0.9, {1, 2}).value();
  auto what = Find(*log_).value();
  // The same segments, but for their files.
  ASSERT_EQ(Find(*copy).value()->segments.size(), what->segments.size());
  ASSERT_EQ(Find(*copy).value()->generation, what->generation);
  DirectLog direct(*copy);
  LogCleaning cleaning(disk_, *what, keys, direct, pace_, now_);
  EXPECT_EQ(cleaning.Run().value(), Outcome::kChanged);
  EXPECT_FALSE(copy->failed());
  EXPECT_EQ(ReadLog(*copy, true), ReadLog(*log_, true));
  EXPECT_EQ(CountFiles(".cleaned"), 0u);
}

// The dirty part begins where the log was cut, not where it was clean once.
TEST_F(CleaningTest, ACutIsDirtyBehindIt) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  ASSERT_GT(Find(*log_).value()->first_dirty, 20);
  ASSERT_TRUE(log_->TruncateTo(20));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  EXPECT_LE(Find(*log_).value()->first_dirty, 20);
}

// Offsets are missing in front of it. The log must not end amid them: a scan
// would find another end.
TEST_F(CleaningTest, ACutAmidMissingOffsetsEndsBehindTheLastBatch) {
  for (Offset at = 1; at < 60; ++at) {
    SCOPED_TRACE(at);
    disk_.KillProcess();
    log_.reset();
    ASSERT_TRUE(!disk_.Exists(kDir) || disk_.RemoveAll(kDir));
    ASSERT_TRUE(Open());
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
    Roll();
    ASSERT_EQ(Clean().value(), Outcome::kDone);
    ASSERT_TRUE(log_->TruncateTo(at));
    const Offset end = log_->end_offset();
    EXPECT_LE(end, at);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Records({{"b", "v"}})));
    Flush();
    const Seen seen = ReadLog(*log_, false);
    options_.config.compacted = false;
    CrashAndReopen();
    EXPECT_EQ(ReadLog(*log_, false), seen);
    EXPECT_EQ(log_->end_offset(), end + 20);
    options_.config.compacted = true;
  }
}

// The log has taken the segment, and its files are called as before.
TEST_F(CleaningTest, BetweenTheTakingOfASegmentAndItsNameAllGoesOn) {
  for (const bool cut : {true, false}) {
    log_.reset();
    disk_.KillProcess();
    ASSERT_TRUE(!disk_.Exists(kDir) || disk_.RemoveAll(kDir));
    options_.start_offset = 0;
    ASSERT_TRUE(Open());
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(Append(Records({{"a", "v"}}, Transactional(9, i))));
      ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, i % 2 == 0), 0, now_));
    }
    Roll();
    const Table before = TableOf(ReadLog(*log_, true));
    int times = 0;
    after_replace_ = [&] {
      EXPECT_EQ(TableOf(ReadLog(*log_, true, 100)), before);
      if (++times > 1) return;
      if (cut) {
        ASSERT_TRUE(log_->TruncateTo(12));
        return;
      }
      ASSERT_TRUE(log_->AdvanceStartOffset(30));
      EXPECT_EQ(log_->ApplyRetention(log_->end_offset(), now_).value(), 0);
    };
    const auto outcome = Clean();
    after_replace_ = nullptr;
    // The rest of what was cut looks like damage.
    ASSERT_TRUE(outcome || cut);
    const Seen seen = ReadLog(*log_, false);
    EXPECT_EQ(log_->ApplyRetention(log_->end_offset(), now_).value(), 0);
    EXPECT_EQ(ReadLog(*log_, false), seen);
    if (cut) {
      EXPECT_LE(log_->end_offset(), 12);
    } else {
      EXPECT_EQ(TableOf(seen), before);
    }
    Flush();
    options_.start_offset = log_->start_offset();
    CrashAndReopen();
    EXPECT_EQ(ReadLog(*log_, false), seen);
    EXPECT_EQ(
        CountFiles(".cleaned") + CountFiles(".swap") + CountFiles(".deleted"),
        0u);
  }
}

// Those who may wait remove what was cleaned, after the delay.
TEST_F(CleaningTest, FilesOfWhatWasCleanedAreRemovedLater) {
  std::vector<std::string> unused;
  options_.config.file_delete_delay_ms = 77;
  options_.remove_later = [&](const std::vector<std::string>& files,
                              int64_t delay_ms) {
    EXPECT_EQ(delay_ms, 77);
    unused.insert(unused.end(), files.begin(), files.end());
  };
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Append(Records({{"a", std::to_string(i)}})));
  }
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_GT(CountFiles(".log.deleted"), 1u);
  EXPECT_GT(CountFiles(".index.deleted"), 1u);
  EXPECT_EQ(unused.size(), CountFiles(".deleted"));
  for (const std::string& file : unused) EXPECT_TRUE(disk_.Exists(file));
  const Seen before = ReadLog(*log_, true);
  options_.start_offset = log_->start_offset();
  CrashAndReopen();
  EXPECT_EQ(CountFiles(".deleted"), 0u);
  EXPECT_EQ(ReadLog(*log_, true), before);
}

TEST_F(CleaningTest, RetentionAmidACleaningMakesItVoid) {
  options_.config.delete_enabled = true;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  const auto outcome =
      Clean(*log_, [&] { ASSERT_TRUE(log_->AdvanceStartOffset(20)); });
  EXPECT_EQ(outcome.value(), Outcome::kChanged);
  EXPECT_EQ(log_->start_offset(), 20);
  ASSERT_EQ(Clean().value(), Outcome::kDone);
}

TEST_F(CleaningTest, CompactAloneKeepsOldSegmentsAndWithDeleteTheyGo) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  const Offset end = log_->end_offset();
  const int64_t late = now_ + options_.config.retention_ms + 5000;
  EXPECT_EQ(log_->ApplyRetention(end, late).value(), 0);
  // The first segment holds an empty batch, which is as old as it was.
  Reopen();
  options_.config.delete_enabled = true;
  log_->UpdateConfig(options_.config);
  EXPECT_GT(log_->ApplyRetention(end, late).value(), 0);
  EXPECT_EQ(log_->start_offset(), end);
}

TEST_F(CleaningTest, TimestampsAreFoundBehindEmptyBatches) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 60; ++i) {
    ++now_;
    ASSERT_TRUE(
        Append(Records({{i % 10 == 0 ? "k" + std::to_string(i) : "a", "v"}},
                       Idempotent(100 + i, 0))));
  }
  now_ -= 100;
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  for (int restart = 0; restart < 2; ++restart) {
    for (int64_t at = kNow; at <= kNow + 60; ++at) {
      const auto found = log_->FindByTimestamp(at).value();
      ASSERT_TRUE(found) << at;
      const Offset first = std::max<int64_t>(at - kNow - 1, 0);
      const Offset left = first > 50 ? 59 : (first + 9) / 10 * 10;
      EXPECT_EQ(found->offset, left) << at;
    }
    EXPECT_EQ(log_->FindMaxTimestamp().value()->offset, 59);
    Reopen();
  }
}

TEST_F(CleaningTest, AReaderOfASegmentThatIsReplacedGoesOn) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  auto slice = log_->Find(0, INT64_MAX, 1 << 20, 1).value();
  ASSERT_TRUE(slice);
  const size_t size = slice->size;
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  SliceReader reader(std::move(*slice), {});
  std::string bytes(size, '\0');
  size_t read = 0;
  while (read < size) {
    const auto piece = reader.Read(bytes.data() + read, size - read, true);
    ASSERT_TRUE(piece);
    read += **piece;
  }
  EXPECT_EQ(BaseOffsets(bytes).front(), 0);
}

TEST_F(CleaningTest, ScrubbingFindsNothingWrong) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  int segments = 0;
  Offset from = 0;
  while (const auto sealed = log_->FindSealed(from)) {
    from = sealed->end_offset;
    SegmentScrub scrub(*sealed);
    while (!scrub.done()) ASSERT_TRUE(scrub.Read(disk_, 100));
    EXPECT_FALSE(scrub.damage()) << scrub.damage()->error.message;
    ++segments;
  }
  EXPECT_GT(segments, 1);
}

TEST_F(CleaningTest, DamageEndsACleaningAndIsFound) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  const auto what = Find(*log_).value();
  disk_.FlipBit(what->segments[1].path, 65, 3);
  const std::string all = io::ReadFile(disk_, what->segments[0].path).value();
  const auto outcome = Clean();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kCorruptMessage);
  EXPECT_EQ(counts_.right, what->segments[1].base);
  EXPECT_EQ(io::ReadFile(disk_, what->segments[0].path).value(), all);
  EXPECT_FALSE(log_->failed());
}

TEST_F(CleaningTest, WhatRunsOutEndsACleaningAndNothingElse) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  Table before = TableOf(ReadLog(*log_, true));
  for (int64_t changes = 0; changes < 30; ++changes) {
    disk_.FailNamesAfter(changes);
    const auto outcome = Clean();
    EXPECT_EQ(TableOf(ReadLog(*log_, true)), before) << changes;
    disk_.FailNamesAfter(INT64_MAX);
    EXPECT_FALSE(log_->failed());
    if (outcome) break;
    // A cut goes on with it, or a restart.
    if (changes % 3 == 1) {
      ASSERT_TRUE(log_->TruncateTo(log_->end_offset() - 1));
      Roll();
    } else if (changes % 3 == 2) {
      CrashAndReopen();
      Flush();
    }
    before = TableOf(ReadLog(*log_, true));
  }
  while (const auto what = Find(*log_).value()) {
    if (!what->unfinished) break;
    ASSERT_EQ(Clean().value(), Outcome::kChanged);
  }
  disk_.FailOpens(true);
  for (int i = 0; i < 5; ++i) (void)Clean();
  disk_.FailOpens(false);
  EXPECT_FALSE(log_->failed());
  pace_.left = 300;
  EXPECT_EQ(Clean().value(), Outcome::kStopped);
  pace_.left = SIZE_MAX;
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  EXPECT_EQ(TableOf(ReadLog(*log_, true)), before);
}

TEST_F(CleaningTest, AFailedSyncTakesTheDirectoryOffline) {
  options_.health = std::make_shared<DirectoryHealth>(kDir);
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Records({{"a", "v"}})));
  Roll();
  disk_.FailSyncs(".cleaned");
  EXPECT_FALSE(Clean());
  EXPECT_TRUE(options_.health->offline());
  log_.reset();
}

// A bit flips in a cleaned segment that is taking the place of others.
TEST_F(CleaningTest, ADamagedSegmentTakesThePlaceOfNoMoreThanItHolds) {
  int whole = 0, damaged = 0;
  for (int64_t step = 0;; ++step) {
    SCOPED_TRACE(step);
    log_.reset();
    disk_.KillProcess();
    ASSERT_TRUE(!disk_.Exists(kDir) || disk_.RemoveAll(kDir));
    options_.recovery_point = 0;
    ASSERT_TRUE(Open());
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(Append(Records({{"k" + std::to_string(i), "v"}})));
    }
    ASSERT_TRUE(Append(Records({{"k0", "v"}})));
    Roll();
    const Table before = TableOf(ReadLog(*log_, true));
    const Offset end = log_->end_offset();
    disk_.DieAfter(step);
    if (Clean()) break;
    disk_.KillProcess();
    const std::string swap =
        options_.dir + "/" + SegmentFileName(0, ".log") + kSwapSuffix;
    if (!disk_.Exists(swap)) continue;
    const bool all_there =
        disk_.Exists(options_.dir + "/" + SegmentFileName(0, ".log"));
    // The distance of the first batch's last offset: up to two thousand
    // million.
    disk_.FlipBit(swap, 23, 6);
    options_.recovery_point = end;
    ASSERT_TRUE(Open(false));
    EXPECT_EQ(log_->end_offset(), end);
    if (all_there) {
      ++whole;
      EXPECT_EQ(TableOf(ReadLog(*log_, true)), before);
    } else {
      ++damaged;
      // What is behind it.
      const auto bytes = log_->Read(end - 1, end, 1000, true);
      ASSERT_TRUE(bytes);
      EXPECT_FALSE(bytes->empty());
    }
  }
  EXPECT_GT(whole, 0);
  EXPECT_GT(damaged, 0);
}

// At every step of the way, by a power cut and by a signal: what was there is
// there, and the next process cleans the rest.
TEST_F(CleaningTest, ACrashAtAnyStepLosesNothing) {
  for (const bool power : {true, false}) {
    for (int64_t step = 0;; ++step) {
      SCOPED_TRACE(step);
      log_.reset();
      disk_.KillProcess();
      ASSERT_TRUE(!disk_.Exists(kDir) || disk_.RemoveAll(kDir));
      options_.config.compacted = true;
      ASSERT_TRUE(Open());
      int sequence = 0;
      for (int i = 0; i < 24; ++i) {
        ASSERT_TRUE(Append(Records({{"k" + std::to_string(i % 3), "v"},
                                    {"b" + std::to_string(i), std::nullopt}},
                                   Transactional(7, sequence))));
        sequence += 2;
        if (i % 2 == 0) continue;
        ASSERT_TRUE(
            log_->AppendFromCoordinator(Marker(7, i % 4 == 1), 0, now_));
      }
      Roll();
      const Table before = TableOf(ReadLog(*log_, true));
      const Offset end = log_->end_offset();
      if (step % 2 == 1) {
        ASSERT_EQ(Clean().value(), Outcome::kDone);
        now_ += 2000;
      }
      disk_.DieAfter(step / 2);
      const auto outcome = Clean();
      if (disk_.dead()) {
        power ? disk_.Crash() : disk_.KillProcess();
      } else {
        power ? disk_.Crash() : disk_.KillProcess();
        if (outcome && step > 20) break;
      }
      // The next process does not know the topic's settings yet.
      options_.config.compacted = false;
      ASSERT_TRUE(Open(false));
      EXPECT_EQ(log_->end_offset(), end);
      EXPECT_EQ(TableOf(ReadLog(*log_, true, 300)), before);
      EXPECT_EQ(
          CountFiles(".cleaned") + CountFiles(".swap") + CountFiles(".deleted"),
          0u);
      options_.config.compacted = true;
      log_->UpdateConfig(options_.config);
      Roll();
      const Table now = TableOf(ReadLog(*log_, true));
      ASSERT_EQ(Clean().value(), Outcome::kDone);
      EXPECT_EQ(TableOf(ReadLog(*log_, true)), now);
    }
  }
}

TEST_F(CleaningTest, AFollowerCopiesWhatHasGaps) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(Append(Records({{"k" + std::to_string(i % 5), "v"}})));
  }
  Roll();
  ASSERT_EQ(Clean().value(), Outcome::kDone);
  OpenOptions options = options_;
  options.dir = "/data/copy-0";
  options.partition = {"copy", 0};
  // As of a topic that is not compacted any more.
  options.config.compacted = false;
  auto follower = OpenLog(disk_, options, kNow).value();
  while (follower->end_offset() < log_->end_offset()) {
    const auto bytes =
        log_->Read(follower->end_offset(), INT64_MAX, 1, true).value();
    ASSERT_TRUE(follower->AppendAsFollower(bytes.view()));
  }
  EXPECT_EQ(ReadLog(*follower, true), ReadLog(*log_, true));
  while (auto work = follower->TakeSync()) {
    ASSERT_TRUE(PerformSync(disk_, *work));
    follower->Flushed(*work);
  }
  follower.reset();
  disk_.Crash();
  options.config.compacted = false;
  options.clean = false;
  follower = OpenLog(disk_, options, kNow).value();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(ReadLog(*follower, true), ReadLog(*log_, true));
}

}  // namespace
}  // namespace tidemark::log
