// file.delete.delay.ms: what is deleted stays for a while under another name.
#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "broker/log/delayed_removals.h"
#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kHour = 3'600'000;

TEST(DelayedRemovals, GoInTheirOrderWhenTheirTimeHasCome) {
  DelayedRemovals removals(10);
  const Instant now{};
  removals.Add("late", now + milliseconds(20));
  removals.Add("early", now + milliseconds(10));
  EXPECT_TRUE(removals.Take(now, false).empty());
  EXPECT_EQ(removals.Take(now + milliseconds(10), false),
            std::vector<std::string>{"early"});
  EXPECT_EQ(removals.size(), 1u);
  EXPECT_EQ(removals.Take(now, true), std::vector<std::string>{"late"});
  EXPECT_EQ(removals.size(), 0u);
}

TEST(DelayedRemovals, OfTooManyTheFirstGoAtOnce) {
  DelayedRemovals removals(3);
  for (int i = 5; i > 0; --i) {
    removals.Add(std::to_string(i), Instant() + milliseconds(i));
  }
  EXPECT_EQ(removals.Take(Instant(), false),
            (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(removals.size(), 3u);
}

class DeleteDelayTest : public testing::Test {
 protected:
  DeleteDelayTest() {
    options_.dirs = {"/data"};
    options_.min_free_bytes = 0;
    config_.segment_bytes = 400;
  }
  void Open() {
    manager_ = nullptr;
    options_.config.file_delete_delay_ms = config_.file_delete_delay_ms;
    manager_ = LogManager::Open(disk_, options_, kNow).value();
  }
  std::unique_ptr<Log> Get() {
    return manager_
        ->GetOrCreate({"t", 0}, *Uuid::FromBytes("0123456789abcdef"), config_,
                      true, kNow)
        .value();
  }
  static void Fill(Log& log, int batches) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(log.AppendAsLeader(Batch(1), 0, kNow));
    }
    auto work = log.TakeSync();
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(status); });
    ASSERT_TRUE(done.get_future().get());
    log.Flushed(*work);
  }
  size_t Count(const std::string& dir, const std::string& suffix) {
    const auto names = disk_.List(dir).value();
    return static_cast<size_t>(std::count_if(
        names.begin(), names.end(),
        [&](const auto& name) { return name.ends_with(suffix); }));
  }
  size_t DeletedFiles() { return Count("/data/t-0", ".deleted"); }
  size_t DeletedLogs() { return Count("/data", "-delete"); }
  static bool Soon(const std::function<bool()>& test) {
    for (int i = 0; i < 1000 && !test(); ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    return test();
  }
  // The manager has kept house since: it writes what it was given before.
  void HousekeepingRound() {
    manager_->SetHighWatermarks({{{"u", 0}, ++round_}});
    ASSERT_TRUE(Soon([&] {
      const auto written =
          ReadOffsets(disk_, "/data/replication-offset-checkpoint");
      return written && written->contains({"u", 0}) &&
             written->at({"u", 0}) == round_;
    }));
  }
  void MakeOther() {
    other_ = manager_
                 ->GetOrCreate({"u", 0}, *Uuid::FromBytes("fedcba9876543210"),
                               config_, true, kNow)
                 .value();
  }

  sim::SimDisk disk_{5};
  LogManagerOptions options_;
  LogConfig config_;
  std::unique_ptr<Log> other_;
  Offset round_ = 0;
  std::unique_ptr<LogManager> manager_;
};

TEST_F(DeleteDelayTest, FilesOfSegmentsStayUntilTheDiskIsNearlyFull) {
  config_.file_delete_delay_ms = kHour;
  Open();
  auto log = Get();
  MakeOther();
  Fill(*log, 20);
  const auto slice = log->Find(0, 20, 4096, 1).value();
  ASSERT_TRUE(slice);
  const auto before = log->Read(0, slice->next, slice->size, true).value();
  ASSERT_EQ(before.view().size(), slice->size);
  ASSERT_TRUE(log->AdvanceStartOffset(15));
  manager_->workers().Finish();
  const size_t files = DeletedFiles();
  EXPECT_GT(files, 5u);
  EXPECT_TRUE(disk_.Exists("/data/t-0/" + SegmentFileName(0, ".log.deleted")));
  EXPECT_FALSE(disk_.Exists("/data/t-0/" + SegmentFileName(0, ".log")));
  for (int i = 0; i < 3; ++i) HousekeepingRound();
  EXPECT_EQ(DeletedFiles(), files);
  disk_.SetCapacity(1);  // nothing is free
  EXPECT_TRUE(Soon([&] { return DeletedFiles() == 0; }));
  // Now nothing stays.
  ASSERT_TRUE(log->AdvanceStartOffset(19));
  manager_->workers().Finish();
  EXPECT_EQ(DeletedFiles(), 0u);
  // Whoever has it open reads on.
  std::string read(before.view().size(), 0);
  ASSERT_TRUE(slice->file->ReadAt(slice->position, read.data(), read.size()));
  EXPECT_EQ(read, before.view());
}

TEST_F(DeleteDelayTest, WhatIsDeletedGoesAfterTheDelay) {
  config_.file_delete_delay_ms = 300;
  Open();
  auto log = Get();
  Fill(*log, 20);
  const Instant deleted = std::chrono::steady_clock::now();
  ASSERT_TRUE(log->AdvanceStartOffset(15));
  manager_->workers().Finish();
  ASSERT_TRUE(Soon([&] { return DeletedFiles() == 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - deleted, milliseconds(300));
  const Instant removed = std::chrono::steady_clock::now();
  ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  EXPECT_EQ(DeletedLogs(), 1u);
  // Its name is free meanwhile.
  EXPECT_EQ(Get()->end_offset(), 0);
  ASSERT_TRUE(Soon([&] { return DeletedLogs() == 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - removed, milliseconds(300));
}

TEST_F(DeleteDelayTest, LogsStayAsLongAsIsSaidNow) {
  config_.file_delete_delay_ms = kHour;
  Open();
  auto log = Get();
  MakeOther();
  ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  for (int i = 0; i < 3; ++i) HousekeepingRound();
  EXPECT_EQ(DeletedLogs(), 1u);
  manager_->SetDeleteDelay(0);
  ASSERT_TRUE(manager_->DeleteLog(Get()));
  EXPECT_TRUE(Soon([&] { return DeletedLogs() == 1; }));
  disk_.SetCapacity(1);
  EXPECT_TRUE(Soon([&] { return DeletedLogs() == 0; }));
}

TEST_F(DeleteDelayTest, TheNextProcessRemovesWhatIsLeftAtOnce) {
  config_.file_delete_delay_ms = kHour;
  Open();
  auto log = Get();
  MakeOther();
  ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  log = Get();
  Fill(*log, 20);
  ASSERT_TRUE(log->AdvanceStartOffset(15));
  manager_->workers().Finish();
  EXPECT_GT(DeletedFiles(), 5u);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(log));
  logs.push_back(std::move(other_));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  EXPECT_EQ(DeletedLogs(), 1u) << "a stop waits for no delay";
  Open();
  EXPECT_EQ(DeletedFiles(), 0u);
  EXPECT_TRUE(Soon([&] { return DeletedLogs() == 0; }));
  EXPECT_EQ(Get()->start_offset(), 15);
}

}  // namespace
}  // namespace tidemark::log
