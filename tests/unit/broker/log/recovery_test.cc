#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

std::string LogFile(Offset base) {
  return std::string(kDir) + "/" + SegmentFileName(base, ".log");
}

class RecoveryTest : public LogTest {
 protected:
  RecoveryTest() {
    options_.config.segment_bytes = 1000;
    options_.config.index_interval_bytes = 200;
  }
  void Fill(int batches) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(Append(Batch(2)));
    Flush();
  }
};

TEST_F(RecoveryTest, CleanStartDoesNotTouchTheDisk) {
  ASSERT_TRUE(Open());
  Fill(20);
  ASSERT_TRUE(log_->Close());
  const auto operations = disk_.operations();
  ASSERT_TRUE(Open(true));
  EXPECT_EQ(log_->end_offset(), 40);
  EXPECT_EQ(log_->flushed_offset(), 40);
  ASSERT_TRUE(log_->Close());
  EXPECT_EQ(disk_.operations(), operations);
}

TEST_F(RecoveryTest, FlippedBitCutsThereAndEverythingBehind) {
  ASSERT_TRUE(Open());
  Fill(40);
  const std::string all = ReadAll();
  const size_t size = Batch(2).size();
  const Offset second = static_cast<Offset>(1000 / size) * 2;
  disk_.FlipBit(LogFile(second), size + 70, 3);
  disk_.KillProcess();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->end_offset(), second + 2);
  EXPECT_TRUE(ReadAll() == all.substr(0, size * (second + 2) / 2));
  EXPECT_EQ(CountFiles(".log"), 2u);
  ASSERT_TRUE(Append(Batch(2)));
}

TEST_F(RecoveryTest, ScanStartsAtTheSegmentOfTheRecoveryPoint) {
  ASSERT_TRUE(Open());
  Fill(40);
  disk_.FlipBit(LogFile(0), 70, 3);
  disk_.KillProcess();
  options_.recovery_point = 79;
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->end_offset(), 80);
}

TEST_F(RecoveryTest, TornTailIsCut) {
  ASSERT_TRUE(Open());
  Fill(3);
  auto file = disk_.Open(LogFile(0), false).value();
  const uint64_t size = file->Size().value();
  ASSERT_TRUE(file->WriteAt(size, Batch(2).substr(0, 80)));
  disk_.KillProcess();
  ASSERT_TRUE(Open(true)) << "also when the marker claims a clean stop";
  EXPECT_EQ(log_->end_offset(), 6);
  EXPECT_EQ(disk_.Open(LogFile(0), false).value()->Size().value(), size);
}

TEST_F(RecoveryTest, OlderEpochBehindANewerOneIsCut) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 2, 5)));
  Flush();
  auto file = disk_.Open(LogFile(0), false).value();
  ASSERT_TRUE(file->WriteAt(file->Size().value(), LeaderBatch(2, 2, 4)));
  disk_.KillProcess();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->end_offset(), 2);
}

TEST_F(RecoveryTest, LostAndBrokenIndexesAreRebuilt) {
  ASSERT_TRUE(Open());
  Fill(60);
  ASSERT_TRUE(log_->Close());
  auto names = disk_.List(kDir).value();
  for (const auto& name : names) {
    if (!name.ends_with("index")) continue;
    auto file = disk_.Open(std::string(kDir) + "/" + name, false).value();
    ASSERT_TRUE(file->Truncate(5));
  }
  for (bool clean : {true, false}) {
    ASSERT_TRUE(Open(clean));
    EXPECT_EQ(log_->end_offset(), 120);
    for (Offset offset = 0; offset < 120; offset += 7) {
      EXPECT_EQ(BaseOffsets(log_->Read(offset, 120, 1, true)->view()),
                std::vector<Offset>{offset / 2 * 2});
    }
    EXPECT_EQ(log_->FindByTimestamp(kNow).value()->offset, 0);
  }
}

TEST_F(RecoveryTest, BrokenEpochFileIsRebuiltFromTheBatches) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 2, 1)));
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 4)));
  ASSERT_TRUE(log_->Close());
  auto before = impl().epochs();
  ASSERT_TRUE(io::WriteFileAtomically(
      disk_, std::string(kDir) + "/leader-epoch-checkpoint", "0\n9\n1 0\n"));
  ASSERT_TRUE(Open(true));
  EXPECT_EQ(impl().epochs(), before);
}

TEST_F(RecoveryTest, EpochsOfUnsyncedFilesComeBackFromTheScan) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AssignEpoch(1, 0));
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 2, 1)));
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 6)));
  Flush();
  CrashAndReopen();
  EXPECT_EQ(log_->latest_epoch(), 6);
  EXPECT_EQ(log_->EndOffsetFor(1).end_offset, 2);
}

TEST_F(RecoveryTest, AnAssignedEpochCostsNoSyncAndSurvivesWithItsFirstBatch) {
  ASSERT_TRUE(Open());
  Fill(2);
  const auto before = disk_.syncs();
  ASSERT_TRUE(log_->AssignEpoch(9, 4));
  EXPECT_EQ(disk_.syncs(), before);
  EXPECT_EQ(log_->latest_epoch(), 9);
  EXPECT_EQ(log_->EndOffsetFor(8).end_offset, 4);
  ASSERT_TRUE(Append(Batch(1), 9));
  Flush();
  CrashAndReopen();
  EXPECT_EQ(log_->latest_epoch(), 9);
  EXPECT_EQ(log_->EndOffsetFor(8).end_offset, 4);
}

// Nobody can have anything of it: the epoch before it ends at the same place.
TEST_F(RecoveryTest, AnAssignedEpochWithoutABatchMayBeForgotten) {
  ASSERT_TRUE(Open());
  Fill(2);
  const LeaderEpoch older = log_->latest_epoch();
  ASSERT_TRUE(log_->AssignEpoch(9, 4));
  CrashAndReopen();
  EXPECT_EQ(log_->latest_epoch(), older);
  ASSERT_TRUE(log_->AssignEpoch(10, 4));
  EXPECT_EQ(log_->EndOffsetFor(9).end_offset, 4);
}

TEST_F(RecoveryTest, TheRecoveryPointDoesNotPassAnEpochThatIsNotOnDisk) {
  ASSERT_TRUE(Open());
  Fill(2);
  ASSERT_TRUE(log_->AssignEpoch(9, 4));
  ASSERT_TRUE(Append(Batch(1), 9));
  Flush();
  options_.recovery_point = log_->RecoveryPoint().value();
  EXPECT_EQ(options_.recovery_point, 5);
  CrashAndReopen();
  EXPECT_EQ(log_->latest_epoch(), 9);
  EXPECT_EQ(log_->EndOffsetFor(8).end_offset, 4);
}

TEST_F(RecoveryTest, EpochsBehindTheEndAreForgotten) {
  ASSERT_TRUE(Open());
  Fill(2);
  ASSERT_TRUE(io::WriteFileAtomically(
      disk_, std::string(kDir) + "/leader-epoch-checkpoint",
      "0\n2\n0 0\n7 50\n"));
  disk_.KillProcess();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->latest_epoch(), 0);
}

// Twenty batches of a producer; after a clean and an unclean restart it repeats
// what may have been lost of the answers.
class RepeatTest : public RecoveryTest {
 protected:
  void RestartAndRepeat() {
    ASSERT_TRUE(Open());
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, i * 2))));
    }
    Flush();
    for (bool clean : {true, false}) {
      if (clean) {
        Reopen();
      } else {
        CrashAndReopen();
      }
      for (int i = 16; i < 20; ++i) {
        auto again = Append(Batch(2, kNow, Idempotent(1, i * 2)));
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_TRUE(again->duplicate);
        EXPECT_EQ(again->first_offset, i * 2);
      }
    }
  }
};

TEST_F(RepeatTest, AllFiveBatchesOfAProducerSurviveBothKindsOfRestart) {
  RestartAndRepeat();
  EXPECT_FALSE(Append(Batch(2, kNow, Idempotent(1, 40)))->duplicate);
}

// Segments may be so small that five batches lie in several of them.
TEST_F(RepeatTest, AllFiveBatchesOfAProducerSurviveARoll) {
  options_.config.segment_bytes = 200;
  RestartAndRepeat();
}

TEST_F(RecoveryTest, BrokenSnapshotFallsBackToTheLog) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(1, 0))));
  ASSERT_TRUE(log_->Close());
  disk_.FlipBit(std::string(kDir) + "/" + SegmentFileName(2, ".snapshot"), 12,
                0);
  ASSERT_TRUE(Open(true));
  EXPECT_EQ(impl().producers().producers().at(1).last().last_offset, 1);
}

TEST_F(RecoveryTest, StartOffsetFromTheCheckpointHolds) {
  ASSERT_TRUE(Open());
  Fill(10);
  options_.start_offset = 6;
  disk_.KillProcess();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->start_offset(), 6);
  options_.start_offset = 500;
  ASSERT_TRUE(Open(false)) << "lost everything up to there";
  EXPECT_EQ(log_->start_offset(), 500);
  EXPECT_EQ(log_->end_offset(), 500);
}

// A crash comes between the checkpoint and the removal. Retention must find an
// end, and them.
TEST_F(RecoveryTest, SegmentsThatWereLeftBelowTheStartAreRemoved) {
  options_.config.segment_bytes = 300;
  options_.config.retention_ms = 1000;
  ASSERT_TRUE(Open());
  Fill(10);
  options_.start_offset = 6;
  disk_.KillProcess();
  ASSERT_TRUE(Open(false));
  const std::string first =
      std::string(kDir) + "/" + SegmentFileName(0, ".log");
  ASSERT_TRUE(disk_.Exists(first));
  ASSERT_TRUE(log_->ApplyRetention(6, kNow + 5000));
  EXPECT_FALSE(disk_.Exists(first));
  EXPECT_EQ(log_->start_offset(), 6);
  EXPECT_EQ(log_->end_offset(), 20);
}

// Random work on a disk that dies at a random operation and loses what was
// not synced. Whatever was reported as flushed is there with the same bytes,
// what is there beyond it is what was written, epochs match the batches, and
// producers are what the batches say.
class CrashTest : public testing::TestWithParam<int> {};

TEST_P(CrashTest, WhatWasFlushedIsThere) {
  const auto seed = static_cast<uint64_t>(GetParam());
  std::mt19937_64 random(seed);
  sim::SimDisk disk(seed);
  ASSERT_TRUE(disk.CreateDirectories("/data"));
  ASSERT_TRUE(disk.SyncDirectory("/"));
  OpenOptions options;
  options.dir = kDir;
  options.partition = {"orders", 3};
  options.topic_id = *Uuid::FromBytes("0123456789abcdef");
  options.config.segment_bytes = 700 + static_cast<int64_t>(random() % 3000);
  options.config.index_interval_bytes = 150;
  options.config.retention_ms = -1;
  Offset checkpoint = 0;
  options.before_cut = [&](Offset offset) -> Status {
    checkpoint = std::min(checkpoint, offset);
    return {};
  };

  // What the log holds, batch by batch, and how much of it is promised.
  std::vector<std::pair<Offset, std::string>> model;
  std::vector<std::pair<Offset, std::string>> undone;  // last truncation's
  Offset promised = 0;
  LeaderEpoch epoch = 0;
  std::map<ProducerId, int32_t> sequences;

  for (int life = 0; life < 6; ++life) {
    options.recovery_point = checkpoint;
    auto opened = OpenLog(disk, options, kNow);
    ASSERT_TRUE(opened) << opened.error().message;
    auto& log = static_cast<PartitionLog&>(**opened);
    ASSERT_GE(log.end_offset(), promised) << "life " << life;
    // The bytes: a prefix of the model, or of what was there before a
    // truncation that the crash undid.
    std::string bytes;
    if (log.end_offset() > log.start_offset()) {
      for (Offset at = log.start_offset(); at < log.end_offset();) {
        auto part = log.Read(at, INT64_MAX, 1 << 20, true);
        ASSERT_TRUE(part);
        ASSERT_FALSE(part->empty()) << at;
        record::BatchIterator it(part->view());
        while (auto view = it.Next().value()) at = view->header.NextOffset();
        bytes += part->view();
      }
    }
    auto prefix = [&](const auto& batches) {
      std::string all;
      for (const auto& [base, batch] : batches) all += batch;
      return all.substr(0, bytes.size());
    };
    if (bytes != prefix(model)) {
      ASSERT_FALSE(undone.empty());
      ASSERT_TRUE(bytes == prefix(undone)) << "life " << life;
      model = undone;
    }
    while (!model.empty() && model.back().first >= log.end_offset()) {
      model.pop_back();
    }
    undone.clear();

    EpochCache epochs;
    ProducerState producers;
    record::BatchIterator it(bytes);
    while (auto view = it.Next().value()) {
      const auto& header = view->header;
      ASSERT_EQ(log.EpochOfOffset(header.base_offset), header.leader_epoch);
      epochs.Observe(header.leader_epoch, header.base_offset,
                     header.LastOffset());
      producers.Apply(header);
    }
    ASSERT_LE(epochs.entries().size(), log.epochs().entries().size());
    ASSERT_LE(log.epochs().entries().size(), epochs.entries().size() + 1);
    ASSERT_EQ(log.producers().producers().size(), producers.producers().size());
    sequences.clear();
    for (const auto& [id, producer] : producers.producers()) {
      const auto& known = log.producers().producers().at(id);
      ASSERT_EQ(known.epoch, producer.epoch);
      ASSERT_EQ(known.last(), producer.last());
      sequences[id] = producer.last().last_sequence + 1;
    }
    promised = log.end_offset();
    epoch = std::max(epoch, log.latest_epoch()) + 1;

    disk.DieAfter(20 + static_cast<int64_t>(random() % 120));
    std::vector<SyncWork> works;
    bool leader = true;
    auto assign_epoch = [&] { (void)log.AssignEpoch(epoch, log.end_offset()); };
    assign_epoch();
    for (int step = 0; step < 400 && !log.failed(); ++step) {
      const auto what = random() % 100;
      if (what < 55) {
        const int count = 1 + static_cast<int>(random() % 3);
        const auto id = static_cast<ProducerId>(random() % 3);
        const Offset base = log.end_offset();
        record::BatchOptions batch_options =
            Idempotent(id, sequences.contains(id) ? sequences[id] : 0);
        batch_options.base_offset = base;
        batch_options.leader_epoch = epoch;
        const std::string batch =
            Batch(count, kNow, batch_options, random() % 300);
        auto done = leader ? log.AppendAsLeader(batch, epoch, kNow, {})
                           : log.AppendAsFollower(batch);
        // A write that died half-way may be complete after all.
        model.push_back({base, batch});
        if (!done) break;
        sequences[id] = batch_options.base_sequence + count;
      } else if (what < 75) {
        if (auto work = log.TakeSync()) works.push_back(std::move(*work));
      } else if (what < 90 && !works.empty()) {
        if (PerformSync(disk, works.front())) {
          log.Flushed(works.front());
        } else {
          log.SyncFailed(works.front());
        }
        works.erase(works.begin());
        promised = log.flushed_offset();
      } else if (what < 93) {
        if (auto point = log.RecoveryPoint()) checkpoint = *point;
      } else if (what < 96 && model.size() > 3) {
        const Offset to = model[model.size() - 1 - random() % 3].first;
        promised = std::min(promised, to);
        undone = model;
        while (!model.empty() && model.back().first >= to) model.pop_back();
        if (!log.TruncateTo(to)) break;
        undone.clear();
        sequences.clear();
        for (const auto& [id, producer] : log.producers().producers()) {
          sequences[id] = producer.last().last_sequence + 1;
        }
      } else if (what < 98) {
        leader = !leader;
        ++epoch;
        if (leader) assign_epoch();
      }
    }
    opened->reset();
    disk.Crash();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, testing::Range(0, 1000));

}  // namespace
}  // namespace tidemark::log
