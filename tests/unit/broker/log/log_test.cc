#include "broker/log/log.h"

#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

TEST_F(LogTest, LeaderStampsOffsetAndEpochAndKeepsTheRest) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AssignEpoch(4, 0));
  const std::string batch = Batch(3);
  ASSERT_EQ(Append(batch, 4)->last_offset, 2);
  auto second = Append(batch, 4);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first_offset, 3);
  EXPECT_EQ(log_->end_offset(), 6);
  std::string expected = batch;
  record::SetBaseOffset(expected.data(), 3);
  record::SetLeaderEpoch(expected.data(), 4);
  EXPECT_EQ(log_->Read(3, 6, 1 << 20, false)->view(), expected);
  EXPECT_TRUE(record::ParseAndVerifyBatch(expected));
}

// What Find finds is what Read gives, or the front of it.
TEST_F(LogTest, FindFindsWhatReadReads) {
  options_.config.segment_bytes = 20'000;
  options_.config.index_interval_bytes = 300;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(Append(Batch(1 + i % 5)));
  const Offset end = log_->end_offset();
  int found = 0;
  for (Offset from = 0; from < end; from += 7) {
    for (const Offset below : {from + 3, from + 40, from + 300, end}) {
      for (const size_t most : {100, 1000, 7000, 100'000}) {
        const auto slice = log_->Find(from, below, most, 500);
        ASSERT_TRUE(slice);
        if (!*slice) continue;
        ++found;
        EXPECT_GE((*slice)->size, 500u);
        EXPECT_LE((*slice)->size, most);
        const auto read = log_->Read(from, below, most, false).value();
        const auto later =
            Payload(std::make_shared<SliceReader>(**slice, nullptr)).Load();
        ASSERT_TRUE(later) << later.error().message;
        ASSERT_LE(later->size(), read.size());
        EXPECT_EQ(later->view(), read.view().substr(0, later->size()));
        EXPECT_GE(later->size() + 1200, std::min(most, read.size()));
      }
    }
  }
  EXPECT_GT(found, 1000);
  EXPECT_FALSE(log_->Find(end, end, 1000, 1).value());
}

// Readers that do not read hold a descriptor for each segment, not for each
// answer.
TEST_F(LogTest, SlicesOfOneSealedSegmentShareItsDescriptor) {
  options_.config.segment_bytes = 500;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Batch(2)));
  const auto slice = log_->Find(0, 40, 100'000, 1).value();
  ASSERT_TRUE(slice);
  // Which lets go of the descriptors of sealed segments.
  ASSERT_TRUE(log_->ApplyRetention(0, kNow));
  const auto again = log_->Find(0, 40, 100'000, 1).value();
  ASSERT_TRUE(again);
  EXPECT_EQ(slice->file, again->file);
}

TEST_F(LogTest, ASliceOutlivesItsSegmentAndNoticesACut) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Batch(2)));
  const auto slice = log_->Find(0, 40, 100'000, 1).value();
  const auto again = log_->Find(0, 40, 100'000, 1).value();
  ASSERT_TRUE(slice && again);
  ASSERT_TRUE(log_->TruncateTo(10));
  Offset wrong = -1;
  const auto cut =
      Payload(std::make_shared<SliceReader>(*slice, [&](Offset at,
                                                        const Error&) {
        wrong = at;
      })).Load();
  ASSERT_FALSE(cut);
  EXPECT_EQ(wrong, 10);
  ASSERT_TRUE(log_->Delete());
  EXPECT_FALSE(Payload(std::make_shared<SliceReader>(*again, nullptr)).Load());
}

TEST_F(LogTest, LogAppendTimeIsStampedWithANewChecksum) {
  options_.config.log_append_time = true;
  ASSERT_TRUE(Open());
  auto info = log_->AppendAsLeader(Batch(2, 5), 0, kNow);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->log_append_time_ms, kNow);
  const auto bytes = log_->Read(0, 2, 1 << 20, true).value();
  const auto header = record::ParseAndVerifyBatch(bytes.view());
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_TRUE(header->IsLogAppendTime());
  EXPECT_EQ(header->max_timestamp, kNow);
}

TEST_F(LogTest, FlushedOnlyAfterSync) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  EXPECT_EQ(log_->flushed_offset(), 0);
  auto work = log_->TakeSync();
  ASSERT_TRUE(work);
  ASSERT_TRUE(Append(Batch(2)));
  ASSERT_TRUE(PerformSync(disk_, *work));
  log_->Flushed(*work);
  EXPECT_EQ(log_->flushed_offset(), 2);
  Flush();
  EXPECT_EQ(log_->flushed_offset(), 4);
  EXPECT_FALSE(log_->TakeSync());
}

TEST_F(LogTest, PageCacheModeCountsAppendedAsFlushed) {
  options_.config.flush_messages = INT64_MAX;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  EXPECT_EQ(log_->flushed_offset(), 2);
  EXPECT_FALSE(log_->TakeSync());
  EXPECT_EQ(log_->RecoveryPoint().value(), 0) << "nothing was really synced";
}

TEST_F(LogTest, SyncTakenBeforeATruncationIsIgnored) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  ASSERT_TRUE(Append(Batch(2)));
  auto work = log_->TakeSync();
  ASSERT_TRUE(log_->TruncateTo(2));
  ASSERT_TRUE(Append(Batch(4)));
  log_->Flushed(*work);
  EXPECT_EQ(log_->flushed_offset(), 0);
  Flush();
  EXPECT_EQ(log_->flushed_offset(), 6);
}

TEST_F(LogTest, FirstSyncCoversTheDirectories) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(1)));
  auto work = log_->TakeSync();
  ASSERT_TRUE(work);
  EXPECT_EQ(work->directories, (std::vector<std::string>{kDir, "/data"}));
  ASSERT_TRUE(PerformSync(disk_, *work));
  log_->Flushed(*work);
  ASSERT_TRUE(Append(Batch(1)));
  EXPECT_TRUE(log_->TakeSync()->directories.empty());
}

TEST_F(LogTest, RejectsWithKafkasCodes) {
  options_.config.max_message_bytes = 300;
  ASSERT_TRUE(Open());
  EXPECT_EQ(Append(Batch(100)).error().code, ErrorCode::kMessageTooLarge);
  std::string flipped = Batch(1);
  flipped.back() ^= 1;
  EXPECT_EQ(Append(flipped).error().code, ErrorCode::kCorruptMessage);
  EXPECT_EQ(log_->end_offset(), 0);
  EXPECT_FALSE(log_->failed());
}

TEST_F(LogTest, RepeatedBatchIsADuplicateWithItsOldOffsets) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(9, i * 2))));
  }
  auto again = Append(Batch(2, kNow, Idempotent(9, 2)));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->first_offset, 2);
  EXPECT_EQ(again->last_offset, 3);
  again = Append(Batch(2, kNow, Idempotent(9, 0)));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->first_offset, -1) << "where the sixth last is is forgotten";
  EXPECT_EQ(log_->end_offset(), 12);
}

TEST_F(LogTest, FollowerTakesWholeBatchesAndIgnoresATornOne) {
  ASSERT_TRUE(Open());
  std::string bytes = LeaderBatch(0, 3, 1) + LeaderBatch(3, 2, 2);
  auto info =
      log_->AppendAsFollower(bytes + LeaderBatch(5, 1, 2).substr(0, 70));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->first_offset, 0);
  EXPECT_EQ(info->last_offset, 4);
  EXPECT_EQ(ReadAll(), bytes);
  EXPECT_EQ(log_->latest_epoch(), 2);
  EXPECT_EQ(log_->EndOffsetFor(1).end_offset, 3);
}

TEST_F(LogTest, FollowerRefusesWhatDoesNotContinueItsLog) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 1, 3)));
  EXPECT_EQ(log_->AppendAsFollower(LeaderBatch(0, 1, 3)).error().code,
            ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(log_->AppendAsFollower(LeaderBatch(1, 1, 2)).error().code,
            ErrorCode::kCorruptMessage)
      << "an older epoch";
  std::string flipped = LeaderBatch(1, 1, 3);
  flipped[80] ^= 1;
  EXPECT_EQ(log_->AppendAsFollower(flipped).error().code,
            ErrorCode::kCorruptMessage);
  EXPECT_EQ(log_->end_offset(), 1);
}

TEST_F(LogTest, FollowerBytesSpreadOverSegments) {
  options_.config.segment_bytes = 500;
  ASSERT_TRUE(Open());
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += LeaderBatch(i * 2, 2, 0);
  ASSERT_TRUE(log_->AppendAsFollower(bytes));
  EXPECT_GT(CountFiles(".log"), 3u);
  EXPECT_EQ(ReadAll(), bytes);
}

TEST_F(LogTest, ReadCutsToWholeBatchesBelowTheLimit) {
  ASSERT_TRUE(Open());
  const std::string batch = Batch(2);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(batch));
  const size_t size = batch.size();
  struct Case {
    const char* name;
    Offset from, below;
    size_t max_bytes;
    bool at_least_one;
    std::vector<Offset> expected;
  };
  const Case cases[] = {
      {"middle of a batch", 3, 80, 2 * size, false, {2, 4}},
      {"limit cuts", 4, 8, 100 * size, false, {4, 6}},
      {"limit in a batch", 4, 7, 100 * size, false, {4}},
      {"too small for one", 4, 80, size - 1, false, {}},
      {"too small, but one wanted", 4, 80, 1, true, {4}},
      {"one below the limit only", 4, 5, 1, true, {}},
      {"part of the second", 4, 80, 2 * size - 1, false, {4}},
      {"tail", 78, 80, 100 * size, false, {78}},
      {"end", 80, 80, 100 * size, true, {}},
      {"at the limit", 10, 10, 100 * size, true, {}},
  };
  for (const Case& c : cases) {
    auto bytes = log_->Read(c.from, c.below, c.max_bytes, c.at_least_one);
    ASSERT_TRUE(bytes) << c.name;
    EXPECT_EQ(BaseOffsets(bytes->view()), c.expected) << c.name;
  }
  EXPECT_EQ(log_->Read(81, 100, 1, true).error().code,
            ErrorCode::kOffsetOutOfRange);
  ASSERT_TRUE(log_->AdvanceStartOffset(10));
  EXPECT_EQ(log_->Read(9, 100, 1, true).error().code,
            ErrorCode::kOffsetOutOfRange);
}

TEST_F(LogTest, ReadFindsEveryOffsetThroughTheIndex) {
  options_.config.index_interval_bytes = 300;
  options_.config.segment_bytes = 6000;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Append(Batch(1 + i % 4)));
  Reopen();
  const Offset end = log_->end_offset();
  for (Offset offset = end - 1; offset >= 0; --offset) {
    auto bytes = log_->Read(offset, end, 1, true);
    ASSERT_TRUE(bytes);
    auto header = record::ParseBatchHeader(bytes->view()).value();
    EXPECT_LE(header.base_offset, offset);
    EXPECT_GE(header.LastOffset(), offset);
  }
}

TEST_F(LogTest, RollsBySizeAndByTime) {
  options_.config.segment_bytes = 400;
  options_.config.segment_ms = 1000;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(1, kNow)));
  ASSERT_TRUE(Append(Batch(1, kNow + 1000)));
  EXPECT_EQ(CountFiles(".log"), 1u);
  ASSERT_TRUE(Append(Batch(1, kNow + 1001)));
  EXPECT_EQ(CountFiles(".log"), 2u) << "older than segment.ms";
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Append(Batch(1, kNow + 1001)));
  EXPECT_EQ(CountFiles(".log"), 3u) << "larger than segment.bytes";
}

TEST_F(LogTest, FindsByTimestamp) {
  options_.config.index_interval_bytes = 100;
  options_.config.segment_bytes = 1000;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AssignEpoch(7, 0));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Append(Batch(2, 1000 + i * 10), 7));
  for (bool reopened : {false, true}) {
    if (reopened) Reopen();
    auto at = [&](int64_t t) { return log_->FindByTimestamp(t).value(); };
    EXPECT_EQ(at(0)->offset, 0);
    EXPECT_EQ(at(1001)->offset, 1) << "second record of its batch";
    EXPECT_EQ(at(1002)->offset, 2) << "first of the next batch";
    EXPECT_EQ(at(1490)->offset, 98);
    EXPECT_EQ(at(1490)->timestamp_ms, 1490);
    EXPECT_EQ(at(1490)->epoch, 7);
    EXPECT_FALSE(at(1492));
    EXPECT_EQ(log_->FindMaxTimestamp().value()->offset, 99);
  }
}

TEST_F(LogTest, TruncationCutsBatchesEpochsAndProducers) {
  options_.config.segment_bytes = 600;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AssignEpoch(1, 0));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, i * 2)), 1));
  }
  ASSERT_TRUE(log_->AssignEpoch(2, 20));
  for (int i = 10; i < 20; ++i) {
    ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, i * 2)), 2));
  }
  Flush();
  const std::string before = ReadAll();
  ASSERT_TRUE(log_->TruncateTo(16));
  EXPECT_EQ(log_->end_offset(), 16);
  EXPECT_EQ(log_->flushed_offset(), 16);
  EXPECT_EQ(log_->latest_epoch(), 1);
  EXPECT_EQ(ReadAll(), before.substr(0, before.size() * 8 / 20));
  EXPECT_EQ(Append(Batch(2, kNow, Idempotent(1, 20)), 3).error().code,
            ErrorCode::kOutOfOrderSequenceNumber);
  auto next = Append(Batch(2, kNow, Idempotent(1, 16)), 3);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->first_offset, 16);
}

// KIP-98's five batches are not all that a producer may send again.
TEST_F(LogTest, ARestartKnowsWhichBatchesAreThere) {
  options_.config.segment_bytes = 600;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, i * 2))));
  }
  Flush();
  ASSERT_TRUE(Open());
  const auto again = Append(Batch(2, kNow, Idempotent(1, 0)));
  ASSERT_TRUE(again) << ToString(again.error());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->first_offset, -1);
  EXPECT_GE(again->last_offset, 1);
  EXPECT_EQ(log_->end_offset(), 40);
  // And what is cut away is not there any more.
  ASSERT_TRUE(log_->TruncateTo(4));
  EXPECT_FALSE(Append(Batch(2, kNow, Idempotent(1, 6))));
  ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, 4))));
  EXPECT_EQ(log_->end_offset(), 6);
}

TEST_F(LogTest, TruncationToTheEndDropsAnEpochWithoutBatches) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  ASSERT_TRUE(log_->AssignEpoch(5, 2));
  ASSERT_TRUE(log_->TruncateTo(2));
  EXPECT_EQ(log_->latest_epoch(), 0);
}

TEST_F(LogTest, TruncationInsideABatchDropsAllOfIt) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(4)));
  ASSERT_TRUE(Append(Batch(4)));
  ASSERT_TRUE(log_->TruncateTo(6));
  EXPECT_EQ(log_->end_offset(), 4);
}

TEST_F(LogTest, FullTruncationStartsOver) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(4, kNow, Idempotent(1, 0))));
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(100));
  EXPECT_EQ(log_->start_offset(), 100);
  EXPECT_EQ(log_->end_offset(), 100);
  EXPECT_EQ(log_->latest_epoch(), -1);
  EXPECT_TRUE(impl().producers().empty());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(100, 2, 9)));
  Flush();
  CrashAndReopen();
  EXPECT_EQ(log_->start_offset(), 100);
  EXPECT_EQ(log_->end_offset(), 102);
}

TEST_F(LogTest, RetentionBySizeKeepsWhatIsNotCommitted) {
  options_.config.segment_bytes = 400;
  options_.config.retention_bytes = 500;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(Batch(1)));
  EXPECT_EQ(log_->ApplyRetention(0, kNow).value(), 0);
  EXPECT_GT(log_->ApplyRetention(10, kNow).value(), 0);
  EXPECT_LE(log_->start_offset(), 10);
  EXPECT_GT(log_->ApplyRetention(40, kNow).value(), 0);
  EXPECT_GE(log_->size_bytes(), 500);
  EXPECT_LT(log_->size_bytes(), 1000);
  EXPECT_EQ(BaseOffsets(ReadAll(log_->start_offset())).front(),
            log_->start_offset());
}

TEST_F(LogTest, RetentionByTimeEmptiesEvenTheActiveSegment) {
  options_.config.segment_bytes = 400;
  options_.config.retention_ms = 1000;
  ASSERT_TRUE(Open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(Batch(1, kNow + i)));
  EXPECT_EQ(log_->ApplyRetention(10, kNow + 1000).value(), 0);
  EXPECT_GT(log_->ApplyRetention(10, kNow + 5000).value(), 0);
  EXPECT_EQ(log_->start_offset(), 10);
  EXPECT_EQ(log_->size_bytes(), 0);
  ASSERT_TRUE(Append(Batch(1)));
  Reopen();
  EXPECT_EQ(log_->start_offset(), 10);
  EXPECT_EQ(log_->end_offset(), 11);
}

// Whoever may wait removes them, in the order in which they must go.
TEST_F(LogTest, FilesThatAreNotNeededAreRemovedLater) {
  options_.config.segment_bytes = 400;
  std::vector<std::string> removed;
  options_.config.file_delete_delay_ms = 1234;
  options_.remove_later = [&](const std::vector<std::string>& paths,
                              int64_t delay_ms) {
    EXPECT_EQ(delay_ms, 1234);
    removed.insert(removed.end(), paths.begin(), paths.end());
  };
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Batch(1)));
  const std::string first =
      std::string(kDir) + "/" + SegmentFileName(0, ".log");
  ASSERT_TRUE(log_->AdvanceStartOffset(19));
  EXPECT_TRUE(disk_.Exists(first));
  ASSERT_GT(removed.size(), 5u);
  EXPECT_EQ(removed[3], first);
  std::vector<std::string> logs;
  for (const auto& path : removed) {
    if (path.ends_with(".log")) logs.push_back(path);
  }
  EXPECT_TRUE(std::is_sorted(logs.begin(), logs.end())) << "no hole";
  ASSERT_TRUE(RemoveFiles(disk_, removed));
  EXPECT_FALSE(disk_.Exists(first));
  options_.start_offset = 19;
  Reopen();
  EXPECT_EQ(log_->start_offset(), 19);
  EXPECT_EQ(log_->end_offset(), 20);
}

TEST_F(LogTest, RetentionOffKeepsAll) {
  options_.config.retention_ms = -1;
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(1, 1)));
  EXPECT_EQ(log_->ApplyRetention(1, kNow).value(), 0);
  options_.config.delete_enabled = false;
  options_.config.retention_ms = 1;
  log_->UpdateConfig(options_.config);
  EXPECT_EQ(log_->ApplyRetention(1, kNow).value(), 0);
}

TEST_F(LogTest, AWriteErrorIsFinal) {
  options_.health = std::make_shared<DirectoryHealth>("/data");
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(1)));
  disk_.FailWrites(".log");
  EXPECT_EQ(Append(Batch(1)).error().code, ErrorCode::kKafkaStorageError);
  disk_.FailWrites("");
  EXPECT_EQ(Append(Batch(1)).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(log_->failed());
  EXPECT_TRUE(options_.health->offline());
  EXPECT_FALSE(log_->TakeSync());
}

TEST_F(LogTest, AFailedSyncIsFinal) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(1)));
  auto work = log_->TakeSync();
  disk_.FailSyncs(".log");
  EXPECT_FALSE(PerformSync(disk_, *work));
  log_->SyncFailed(*work);
  disk_.FailSyncs("");
  EXPECT_TRUE(log_->failed());
  EXPECT_FALSE(Append(Batch(1)));
  log_->Flushed(*work);
  EXPECT_EQ(log_->flushed_offset(), 0);
}

TEST_F(LogTest, ForeignTopicIdIsRefused) {
  ASSERT_TRUE(Open());
  Reopen();
  options_.topic_id = *Uuid::FromBytes("fedcba9876543210");
  EXPECT_EQ(Open(true).error().code, ErrorCode::kInconsistentTopicId);
  options_.topic_id = {};
  ASSERT_TRUE(Open(true));
  EXPECT_EQ(log_->topic_id(), topic_id_);
}

TEST_F(LogTest, EveryCutIsAnnouncedBeforeItIsDone) {
  std::vector<Offset> lowered;
  options_.before_cut = [&](Offset offset) -> Status {
    lowered.push_back(offset);
    return {};
  };
  ASSERT_TRUE(Open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(Batch(1)));
  Flush();
  ASSERT_EQ(log_->RecoveryPoint().value(), 10);
  ASSERT_TRUE(Append(Batch(2)));
  ASSERT_TRUE(log_->TruncateTo(10));
  ASSERT_TRUE(log_->TruncateTo(4));
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(9));
  EXPECT_EQ(lowered, (std::vector<Offset>{10, 4, 9}));
}

}  // namespace
}  // namespace tidemark::log
