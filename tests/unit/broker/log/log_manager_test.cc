#include "broker/log/log_manager.h"

#include <future>

#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

class LogManagerTest : public testing::Test {
 protected:
  LogManagerTest() {
    options_.dirs = {"/a", "/b"};
    options_.on_offline = [this](const std::string& dir, const Error&) {
      offline_.push_back(dir);
    };
  }
  void Open() {
    manager_.reset();
    auto manager = LogManager::Open(disk_, options_, kNow);
    ASSERT_TRUE(manager) << manager.error().message;
    manager_ = std::move(*manager);
  }
  std::unique_ptr<Log> Get(const TopicPartition& partition,
                           const std::string& id = "0123456789abcdef") {
    auto log =
        manager_->GetOrCreate(partition, *Uuid::FromBytes(id), {}, true, kNow);
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }
  // Appends and syncs as a shard does.
  void Write(Log& log, int batches) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(log.AppendAsLeader(Batch(1), 0, kNow));
    }
    auto work = log.TakeSync();
    std::promise<Status> done;
    manager_->syncer(log.partition()).Enqueue(*work, [&](Status status) {
      done.set_value(status);
    });
    ASSERT_TRUE(done.get_future().get());
    log.Flushed(*work);
  }

  sim::SimDisk disk_{3};
  LogManagerOptions options_;
  std::unique_ptr<LogManager> manager_;
  std::vector<std::string> offline_;
};

// B-30: a crash takes nothing of what the checkpoint files promise.
TEST_F(LogManagerTest, ALogThatEndsBeforeItsPromiseIsKnownToBeDamaged) {
  for (const bool damaged : {false, true}) {
    const TopicPartition partition{"t", damaged ? 1 : 0};
    Open();
    auto log = Get(partition);
    Write(*log, 3);
    ASSERT_TRUE(manager_->WriteHighWatermarks({{partition, 3}}));
    const std::string file = log->dir() + "/00000000000000000000.log";
    log.reset();
    disk_.Crash();
    // The magic of the second batch.
    if (damaged) disk_.FlipBit(file, Batch(1).size() + record::kMagicAt, 1);
    Open();
    EXPECT_EQ(manager_->IsShortened(partition), damaged);
    EXPECT_EQ(Get(partition)->end_offset(), damaged ? 1 : 3);
    EXPECT_FALSE(manager_->IsShortened(partition)) << "it has been handed out";
  }
}

TEST_F(LogManagerTest, SpreadsPartitionsAndFindsThemAgain) {
  Open();
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < 4; ++i) {
    logs.push_back(Get({"t", i}));
    Write(*logs.back(), i + 1);
  }
  EXPECT_EQ(disk_.Exists("/a/t-0") + disk_.Exists("/a/t-1") +
                disk_.Exists("/a/t-2") + disk_.Exists("/a/t-3"),
            2);
  ASSERT_TRUE(manager_->WriteHighWatermarks({{{"t", 3}, 4}}));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 17));
  disk_.Crash();
  Open();
  EXPECT_EQ(manager_->previous_broker_epoch(), 17);
  EXPECT_EQ(manager_->LoadedPartitions().size(), 4u);
  EXPECT_EQ(manager_->CheckpointedHighWatermark({"t", 3}), 4);
  EXPECT_EQ(manager_->CheckpointedHighWatermark({"t", 2}), std::nullopt);
  EXPECT_EQ(Get({"t", 3})->end_offset(), 4);
  EXPECT_EQ(manager_->LoadedPartitions().size(), 3u);
}

TEST_F(LogManagerTest, MarkerIsGoneOnceStarted) {
  Open();
  ASSERT_TRUE(manager_->ShutdownCleanly({}, 17));
  Open();
  EXPECT_EQ(manager_->previous_broker_epoch(), 17);
  disk_.Crash();
  Open();
  EXPECT_EQ(manager_->previous_broker_epoch(), -1);
}

TEST_F(LogManagerTest, NoMarkerWhenALogWasNotReturned) {
  Open();
  auto log = Get({"t", 0});
  (void)manager_->ShutdownCleanly({}, 17);
  log.reset();
  Open();
  EXPECT_EQ(manager_->previous_broker_epoch(), -1) << "one directory unclean";
}

TEST_F(LogManagerTest, DeletedLogIsGoneAndItsNameFree) {
  Open();
  auto log = Get({"t", 0});
  Write(*log, 5);
  ASSERT_TRUE(manager_->WriteCheckpoints({{{"t", 0}, 5, 2, 5}}));
  ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  log = Get({"t", 0}, "another-topic-id");
  EXPECT_EQ(log->end_offset(), 0);
  EXPECT_EQ(log->start_offset(), 0);
  EXPECT_EQ(manager_->CheckpointedHighWatermark({"t", 0}), std::nullopt);
  log.reset();
  manager_.reset();
  for (const char* dir : {"/a", "/b"}) {
    const auto names = disk_.List(dir).value();
    for (const auto& name : names) {
      EXPECT_FALSE(name.ends_with("-delete")) << name;
    }
  }
}

TEST_F(LogManagerTest, LogOfAnotherTopicIdIsAStray) {
  Open();
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get({"t", 0}));
  logs.push_back(Get({"u", 0}));
  Write(*logs[0], 5);
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  Open();
  EXPECT_EQ(Get({"t", 0}, "another-topic-id")->end_offset(), 0);
  EXPECT_EQ(
      manager_->RemoveStray({"u", 0}, *Uuid::FromBytes("another-topic-id"))
          .error()
          .code,
      ErrorCode::kUnknownTopicOrPartition)
      << "only with its own id";
  EXPECT_TRUE(
      manager_->RemoveStray({"u", 0}, *Uuid::FromBytes("0123456789abcdef")));
  EXPECT_TRUE(manager_->LoadedPartitions().empty());
}

TEST_F(LogManagerTest, BrokenDirectoryTakesItsLogsAlongAndNoOthers) {
  Open();
  auto first = Get({"t", 0});
  auto second = Get({"t", 1});
  ASSERT_NE(first->dir().substr(0, 2), second->dir().substr(0, 2));
  disk_.FailWrites(first->dir());
  EXPECT_FALSE(first->AppendAsLeader(Batch(1), 0, kNow));
  EXPECT_TRUE(first->failed());
  EXPECT_FALSE(second->failed());
  const std::string dir = first->dir().substr(0, 2);
  EXPECT_EQ(offline_, std::vector<std::string>{dir});
  EXPECT_EQ(manager_->OfflineDirectories(), std::vector<std::string>{dir});
  disk_.FailWrites("");
  const auto before = disk_.operations();
  EXPECT_TRUE(manager_->WriteHighWatermarks({{{"t", 0}, 1}}));
  EXPECT_EQ(disk_.operations(), before) << "nothing is written there any more";
  auto third = Get({"t", 2});
  EXPECT_NE(third->dir().substr(0, 2), dir);
  Write(*second, 1);
}

// Its logs are not known then: an empty one elsewhere would be a second.
TEST_F(LogManagerTest, NoLogTakesThePlaceOfOneBehindAnUnreadableCheckpoint) {
  Open();
  auto log = Get({"t", 0});
  Write(*log, 1);
  const std::string dir = log->dir().substr(0, 2);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(log));
  ASSERT_TRUE(manager_->WriteHighWatermarks({{{"t", 0}, 1}}));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  disk_.FailReads(dir + "/replication-offset-checkpoint");
  Open();
  EXPECT_EQ(manager_->OfflineDirectories(), std::vector<std::string>{dir});
  EXPECT_FALSE(manager_->GetOrCreate(
      {"t", 0}, *Uuid::FromBytes("0123456789abcdef"), {}, false, kNow));
}

TEST_F(LogManagerTest, FailedSyncTakesTheDirectoryOffline) {
  Open();
  auto log = Get({"t", 0});
  ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
  auto work = log->TakeSync();
  disk_.FailSyncs(".log");
  for (int i = 0; i < 2; ++i) {
    std::promise<Status> done;
    manager_->syncer({"t", 0}).Enqueue(
        *work, [&](Status status) { done.set_value(status); });
    EXPECT_FALSE(done.get_future().get());
    disk_.FailSyncs("");  // the second time it would succeed, and lie
  }
  EXPECT_TRUE(log->failed());
}

TEST_F(LogManagerTest, StrangeDirectoriesAreLeftAlone) {
  ASSERT_TRUE(disk_.CreateDirectories("/a/lost+found"));
  ASSERT_TRUE(disk_.CreateDirectories("/a/nonumber-x"));
  Open();
  EXPECT_TRUE(manager_->LoadedPartitions().empty());
  EXPECT_TRUE(disk_.Exists("/a/lost+found"));
}

TEST(ParsePartitionDirectoryTest, Names) {
  EXPECT_EQ(ParsePartitionDirectory("orders-3"), (TopicPartition{"orders", 3}));
  EXPECT_EQ(ParsePartitionDirectory("a-b-12"), (TopicPartition{"a-b", 12}));
  for (const char* bad : {"orders", "-3", "orders-", "orders-x", "orders-3x"}) {
    EXPECT_FALSE(ParsePartitionDirectory(bad)) << bad;
  }
}

// A file whose syncs wait until told.
class SlowFile final : public io::File {
 public:
  Result<size_t> ReadAt(uint64_t, char*, size_t) const override { return 0u; }
  Status WriteAt(uint64_t, std::string_view) override { return {}; }
  Status WriteAtV(uint64_t, std::span<const std::string_view>) override {
    return {};
  }
  Status Truncate(uint64_t) override { return {}; }
  Result<uint64_t> Size() const override { return 0u; }
  Status Reserve(uint64_t) override { return {}; }
  Status Sync() override {
    EXPECT_EQ(++running_, 1) << "two at once";
    ++syncs_;
    started_.set_value();
    go_.get_future().get();
    go_ = {};
    started_ = {};
    --running_;
    return {};
  }

  std::promise<void> started_, go_;
  std::atomic<int> syncs_ = 0;
  std::atomic<int> running_ = 0;
};

TEST(ThreadedLogSyncerTest, WhatArrivesDuringASyncSharesTheNext) {
  sim::SimDisk disk(1);
  auto file = std::make_shared<SlowFile>();
  std::atomic<int> done = 0;
  {
    ThreadedLogSyncer syncer(disk, nullptr, 4);
    auto started = file->started_.get_future();
    SyncWork work;
    work.files = {file};
    syncer.Enqueue(work, [&](Status) { ++done; });
    started.get();
    for (int i = 0; i < 10; ++i) {
      syncer.Enqueue(work, [&](Status) { ++done; });
    }
    EXPECT_EQ(done, 0);
    file->go_.set_value();
    while (file->syncs_ < 2) std::this_thread::yield();
    file->go_.set_value();
  }
  EXPECT_EQ(done, 11);
  EXPECT_EQ(file->syncs_, 2);
}

}  // namespace
}  // namespace tidemark::log
