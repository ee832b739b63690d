// What runs out is not broken (D2): a full disk and a full descriptor table
// cost what is asked meanwhile, and nothing afterwards.
#include <functional>
#include <map>

#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

class ShortageTest : public LogTest {
 protected:
  ShortageTest() {
    options_.config.segment_bytes = 4000;
    options_.config.index_interval_bytes = 100;
    options_.health = std::make_shared<DirectoryHealth>("/data");
  }
  bool online() const { return !log_->failed() && !options_.health->offline(); }
  int64_t used() {
    const auto space = disk_.Space("/").value();
    return static_cast<int64_t>(space.total - space.free);
  }
  // Appends until it is refused; returns how many were taken.
  int AppendUntilRefused() {
    for (int i = 0;; ++i) {
      auto done = Append(Batch(2));
      if (done) continue;
      EXPECT_EQ(done.error().code, ErrorCode::kKafkaStorageError);
      return i;
    }
  }
};

TEST_F(ShortageTest, AFullDiskRefusesAppendsUntilThereIsRoom) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(Batch(2)));
  // Every number of bytes that may be left, so that every write is the one
  // that does not fit: batches, indexes, rolls, snapshots.
  std::string model = ReadAll();
  for (int64_t room = 0; room < 3000; room += 37) {
    disk_.SetCapacity(used() + room);
    const int taken = AppendUntilRefused();
    ASSERT_TRUE(online()) << room;
    EXPECT_FALSE(Append(Batch(2)));
    disk_.SetCapacity(-1);
    ASSERT_TRUE(Append(Batch(2))) << room;
    ASSERT_EQ(BaseOffsets(ReadAll()).size(),
              BaseOffsets(model).size() + taken + 1)
        << room;
    model = ReadAll();
    Flush();
    ASSERT_EQ(log_->flushed_offset(), log_->end_offset());
  }
  CrashAndReopen();
  EXPECT_TRUE(ReadAll() == model);
  ASSERT_TRUE(log_->Close());
  ASSERT_TRUE(Open(true));
  EXPECT_TRUE(ReadAll() == model);
}

TEST_F(ShortageTest, ABrokerStartsOnAFullDisk) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(Batch(2), i / 30));
  Flush();
  const std::string all = ReadAll();
  for (bool power_cut : {true, false}) {
    log_.reset();
    if (power_cut) {
      disk_.Crash();
    } else {
      disk_.KillProcess();
    }
    disk_.SetCapacity(used());
    ASSERT_TRUE(Open(false));
    EXPECT_TRUE(ReadAll() == all);
    EXPECT_EQ(log_->latest_epoch(), 3);
    EXPECT_FALSE(Append(Batch(2), 3));
    EXPECT_TRUE(online());
    disk_.SetCapacity(-1);
  }
  EXPECT_TRUE(Append(Batch(2), 3));
}

TEST_F(ShortageTest, WithoutDescriptorsNothingBreaks) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(Batch(2)));
  Flush();
  const std::string all = ReadAll();
  Reopen();
  disk_.FailOpens(true);
  EXPECT_FALSE(Append(Batch(2)));
  EXPECT_EQ(log_->Read(0, 200, 1000, true).error().code,
            ErrorCode::kKafkaStorageError);
  EXPECT_FALSE(log_->FindByTimestamp(kNow));
  EXPECT_FALSE(log_->TruncateTo(150));
  EXPECT_FALSE(log_->TruncateFullyAndStartAt(500));
  EXPECT_TRUE(online());
  EXPECT_EQ(log_->end_offset(), 200);
  disk_.FailOpens(false);
  EXPECT_TRUE(ReadAll() == all);
  ASSERT_TRUE(log_->TruncateTo(150));
  ASSERT_TRUE(Append(Batch(2)));
  EXPECT_TRUE(ReadAll().starts_with(all.substr(0, all.size() / 2)));
}

TEST_F(ShortageTest, AFollowerCatchesUpAgain) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 2, 1)));
  disk_.SetCapacity(used() + 20);
  EXPECT_EQ(log_->AppendAsFollower(LeaderBatch(2, 2, 1)).error().code,
            ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(online());
  EXPECT_EQ(log_->end_offset(), 2);
  disk_.SetCapacity(-1);
  EXPECT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 1)));
}

TEST_F(ShortageTest, ProducersAreRefusedBeforeTheDiskIsFull) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  options_.health->NoteSpace(99, 100);
  EXPECT_EQ(Append(Batch(2)).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(online());
  EXPECT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 1))) << "catch-up";
  EXPECT_TRUE(log_->AppendFromCoordinator(Batch(2), 1, kNow));
  EXPECT_TRUE(log_->Read(0, 2, 1000, true));
  options_.health->NoteSpace(110, 100);
  EXPECT_FALSE(Append(Batch(2), 1)) << "not back and forth";
  options_.health->NoteSpace(125, 100);
  EXPECT_TRUE(Append(Batch(2), 1));
}

// Descriptors may run out before any of the files that a change needs.
class NarrowTest : public ShortageTest {
 protected:
  // Batches of two producers in several segments; producer 9 stands in the
  // older half only, so that a cut there has to look for it.
  void Fill() {
    log_.reset();
    ASSERT_TRUE(disk_.RemoveAll(kDir));
    ASSERT_TRUE(Open());
    for (int i = 0; i < 100; ++i) {
      const ProducerId id = i % 10 == 0 && i < 50 ? 9 : 7;
      ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(id, 2 * next_[id]++), 100)));
    }
    Flush();
    ASSERT_GE(CountFiles(".log"), 5u);
  }
  // `change` with so many descriptors, and again with all of them.
  void Narrowly(int64_t opens, const std::function<Status()>& change) {
    disk_.FailOpensAfter(opens);
    const Status done = change();
    EXPECT_TRUE(done || done.error().code == ErrorCode::kKafkaStorageError);
    EXPECT_TRUE(online()) << opens;
    // Neither housekeeping nor the syncs make it worse.
    EXPECT_TRUE(log_->ApplyRetention(0, kNow) || !done) << opens;
    (void)log_->TakeSync();
    disk_.FailOpens(false);
    ASSERT_TRUE(change()) << opens;
    ASSERT_TRUE(online()) << opens;
  }
  // Producers are as a log tells that has just been opened.
  void ExpectProducersOfTheLog() {
    Flush();
    const ProducerState before = impl().producers();
    CrashAndReopen();
    const auto& after = impl().producers().producers();
    ASSERT_EQ(before.producers().size(), after.size());
    for (const auto& [id, producer] : after) {
      EXPECT_EQ(before.producers().at(id).epoch, producer.epoch);
      EXPECT_EQ(before.producers().at(id).last(), producer.last());
    }
  }
  static constexpr int64_t kMostOpens = 40;

  std::map<ProducerId, int> next_;
};

TEST_F(NarrowTest, ATruncationIsTriedAgain) {
  for (const Offset to : {150, 41}) {
    for (int64_t opens = 0; opens < kMostOpens; ++opens) {
      SCOPED_TRACE(std::to_string(to) + " " + std::to_string(opens));
      next_.clear();
      Fill();
      const std::string model = ReadAll();
      Narrowly(opens, [&] { return log_->TruncateTo(to); });
      const std::string kept = ReadAll();
      ASSERT_TRUE(model.starts_with(kept));
      const Offset end = log_->end_offset();
      ASSERT_EQ(end, to & ~1);
      // The next of producer 7 follows on what is left of it.
      const int left = static_cast<int>(end / 2) - (end > 90 ? 5 : 2);
      EXPECT_EQ(
          Append(Batch(2, kNow, Idempotent(7, 2 * left + 2))).error().code,
          ErrorCode::kOutOfOrderSequenceNumber);
      EXPECT_TRUE(
          Append(Batch(2, kNow, Idempotent(7, 2 * left - 2), 100))->duplicate);
      EXPECT_FALSE(
          Append(Batch(2, kNow, Idempotent(7, 2 * left), 100))->duplicate);
      ExpectProducersOfTheLog();
      ASSERT_TRUE(ReadAll().starts_with(kept));
      ASSERT_EQ(log_->end_offset(), end + 2);
    }
  }
}

TEST_F(NarrowTest, StartingOverIsTriedAgain) {
  for (const Offset at : {0, 300}) {
    for (int64_t opens = 0; opens < 10; ++opens) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(opens));
      next_.clear();
      Fill();
      Narrowly(opens, [&] { return log_->TruncateFullyAndStartAt(at); });
      ASSERT_EQ(log_->start_offset(), at);
      ASSERT_EQ(log_->end_offset(), at);
      ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(at, 2, 1)));
      Flush();
      options_.start_offset = 0;
      CrashAndReopen();
      ASSERT_EQ(log_->start_offset(), at);
      ASSERT_EQ(log_->end_offset(), at + 2);
    }
  }
}

// As where a file system needs room to take names away. What is left of the log
// is a beginning of it, and goes on.
TEST_F(NarrowTest, ACutThatFindsNoRoomForNamesIsTriedAgain) {
  int failed = 0;
  for (const Offset to : {Offset{41}, Offset{150}, Offset{-1}}) {
    const auto cut = [&] {
      return to < 0 ? log_->TruncateFullyAndStartAt(300) : log_->TruncateTo(to);
    };
    for (int64_t names = 0; names < kMostOpens; ++names) {
      for (const bool goes_on : {true, false}) {
        SCOPED_TRACE(std::to_string(to) + " " + std::to_string(names));
        next_.clear();
        Fill();
        std::string model = ReadAll();
        disk_.FailNamesAfter(names);
        const Status done = cut();
        ASSERT_TRUE(done || done.error().code == ErrorCode::kKafkaStorageError);
        ASSERT_TRUE(online());
        if (!done) {
          ++failed;
          const std::string left = ReadAll();
          ASSERT_TRUE(model.starts_with(left));
          ASSERT_EQ(BaseOffsets(left).back() + 2, log_->end_offset());
          model = left;
          if (goes_on) {
            ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(5, 0), 100)));
            model = ReadAll();
          }
          Flush();
          ASSERT_EQ(log_->flushed_offset(), log_->end_offset());
          disk_.FailNamesAfter(INT64_MAX);
          if (names % 2 == 0) {
            CrashAndReopen();
            // What was not to stay may come back where nothing else is.
            ASSERT_TRUE(goes_on ? ReadAll() == model
                                : ReadAll().starts_with(model));
          }
          ASSERT_TRUE(cut());
        }
        disk_.FailNamesAfter(INT64_MAX);
        const Offset end = to < 0 ? 300 : to & ~1;
        ASSERT_EQ(log_->end_offset(), end);
        ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(end, 2, 1)));
        ExpectProducersOfTheLog();
        ASSERT_EQ(log_->end_offset(), end + 2);
      }
    }
  }
  EXPECT_GT(failed, 30);
}

// Nobody appends between the cut and the end of the process.
TEST_F(NarrowTest, ACleanStopAfterAnUnfinishedCutKnowsItsProducers) {
  for (int64_t opens = 0; opens < kMostOpens; ++opens) {
    SCOPED_TRACE(opens);
    next_.clear();
    Fill();
    Narrowly(opens, [&] { return log_->TruncateTo(41); });
    Reopen();
    EXPECT_EQ(impl().producers().producers().at(9).last().last_sequence, 3);
  }
}

// The half of a batch that a full disk took was given back, but that may not be
// on the platter when the power goes; the segment has rolled meanwhile. What
// was synced behind it must stay.
TEST_F(ShortageTest, WhatAFullDiskTookCutsNothingAfterAPowerCut) {
  options_.config.segment_ms = 1000;
  ASSERT_TRUE(Open());
  for (int round = 0; round < 40; ++round) {
    const int64_t then = kNow + round * 10'000;
    ASSERT_TRUE(Append(Batch(1, then)));
    Flush();
    disk_.SetCapacity(used() + 3);
    EXPECT_FALSE(Append(Batch(1, then)));
    disk_.SetCapacity(-1);
    ASSERT_TRUE(Append(Batch(1, then + 5000))) << "in a new segment";
    Flush();
    const Offset end = log_->flushed_offset();
    CrashAndReopen();
    ASSERT_EQ(log_->end_offset(), end) << "round " << round;
  }
}

}  // namespace
}  // namespace tidemark::log
