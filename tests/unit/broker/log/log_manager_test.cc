#include "broker/log/log_manager.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "tests/unit/broker/log/log_manager_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;

// Otherwise it would be found beside the one that was made in the end.
TEST_F(LogManagerTest, NothingIsLeftOfALogThatCouldNotBeMade) {
  ASSERT_NO_FATAL_FAILURE(Open());
  const TopicPartition name{"t", 0};
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  disk_.FailOpens(true);
  EXPECT_EQ(manager_->GetOrCreate(name, id, {}, true, kNow).error().code,
            ErrorCode::kOutOfHandles);
  EXPECT_FALSE(disk_.Exists("/a/t-0"));
  EXPECT_FALSE(disk_.Exists("/b/t-0"));
  disk_.FailOpens(false);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get({"u", 0}));  // takes a place in the first directory
  logs.push_back(Get(name));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(offline_.empty());
  EXPECT_EQ(manager_->LoadedPartitions().size(), 2u);
}

// B-30: a crash takes nothing of what the checkpoint files promise.
TEST_F(LogManagerTest, ALogThatEndsBeforeItsPromiseIsKnownToBeDamaged) {
  for (const bool damaged : {false, true}) {
    const TopicPartition partition{"t", damaged ? 1 : 0};
    Open();
    auto log = Get(partition);
    Write(*log, 3);
    const std::string dir = log->dir().substr(0, 2);
    const std::string file = log->dir() + "/00000000000000000000.log";
    manager_->SetHighWatermarks({{partition, 3}});
    Await(dir + "/replication-offset-checkpoint", partition);
    manager_->Checkpoint();
    Await(dir + "/recovery-point-offset-checkpoint", partition);
    log.reset();
    manager_ = nullptr;
    disk_.Crash();
    // The magic of the second batch; and no journal that would mend it.
    if (damaged) {
      disk_.FlipBit(file, Batch(1).size() + record::kMagicAt, 1);
      ASSERT_TRUE(disk_.RemoveAll(dir + "/journal"));
    }
    Open();
    EXPECT_EQ(manager_->IsShortened(partition), damaged);
    EXPECT_EQ(Get(partition)->end_offset(), damaged ? 1 : 3);
    EXPECT_FALSE(manager_->IsShortened(partition)) << "it has been handed out";
  }
}

// B-07: recovery scans from the recovery point on. The epochs of what is before
// are what their file says, which is there from a clean stop already.
TEST_F(LogManagerTest, EpochsAreOnDiskBeforeTheRecoveryPointIsBehindThem) {
  const TopicPartition partition{"t", 0};
  Open();
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get(partition));
  Write(*logs[0], 2);
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  Open();
  auto log = Get(partition);
  ASSERT_TRUE(log->AssignEpoch(7, 2));
  Write(*log, 2, 7);
  const std::string dir = log->dir().substr(0, 2);
  manager_->Checkpoint();
  Await(dir + "/recovery-point-offset-checkpoint", partition, 4);
  log.reset();
  manager_ = nullptr;
  disk_.Crash();
  Open();
  log = Get(partition);
  EXPECT_EQ(log->end_offset(), 4);
  EXPECT_EQ(log->latest_epoch(), 7);
  EXPECT_EQ(log->EpochOfOffset(2), 7);
  EXPECT_EQ(log->EpochOfOffset(1), 0);
}

// What the marker of a clean stop says is right is on disk before it.
TEST_F(LogManagerTest, TheStartOfALogOutlastsACleanStopAndAPowerCut) {
  const TopicPartition partition{"t", 0};
  Open();
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get(partition));
  Write(*logs[0], 5);
  ASSERT_TRUE(logs[0]->AdvanceStartOffset(2));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  manager_ = nullptr;
  disk_.Crash();
  Open();
  const auto log = Get(partition);
  EXPECT_EQ(log->start_offset(), 2);
  EXPECT_EQ(log->end_offset(), 5);
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
  manager_->SetHighWatermarks({{{"t", 3}, 4}});
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
  ASSERT_TRUE(log->AdvanceStartOffset(2));
  manager_->SetHighWatermarks({{{"t", 0}, 5}});
  manager_->Checkpoint();
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

// D28
TEST_F(LogManagerTest, ATopicMadeAnewInheritsNoHighWatermark) {
  Open();
  auto log = Get({"t", 0});
  Write(*log, 2);
  manager_->SetHighWatermarks({{{"t", 0}, 2}});
  Await(log->dir().substr(0, 2) + "/replication-offset-checkpoint", {"t", 0});
  ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  log = Get({"t", 0}, "fedcba9876543210");
  EXPECT_EQ(manager_->CheckpointedHighWatermark({"t", 0}), std::nullopt);
  Write(*log, 1);
  log = nullptr;
  manager_ = nullptr;
  disk_.Crash();
  Open();
  EXPECT_EQ(manager_->CheckpointedHighWatermark({"t", 0}), std::nullopt);
  EXPECT_EQ(Get({"t", 0}, "fedcba9876543210")->end_offset(), 1);
}

// One round for all of them, and their directories are synced behind it.
TEST_F(LogManagerTest, EmptyLogsSurviveAPowerCutOnceTheyAreToldOf) {
  std::mutex mutex;
  std::condition_variable wake;
  std::set<TopicPartition> made;
  options_.directory.on_created = [&](const TopicPartition& partition,
                                      const Uuid&, const std::string&) {
    std::lock_guard lock(mutex);
    made.insert(partition);
    wake.notify_one();
  };
  for (int life = 0; life < 10; ++life) {
    made.clear();
    Open();
    std::vector<std::unique_ptr<Log>> logs;
    for (int i = 0; i < 20; ++i) logs.push_back(Get({"t", 20 * life + i}));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(wake.wait_for(lock, std::chrono::seconds(10),
                              [&] { return made.size() == 20; }));
    lock.unlock();
    logs.clear();
    manager_ = nullptr;
    disk_.Crash();
    Open();
    ASSERT_EQ(manager_->LoadedPartitions().size(), 20u * (life + 1));
    for (const auto& loaded : manager_->LoadedPartitions()) {
      EXPECT_EQ(loaded.topic_id, *Uuid::FromBytes("0123456789abcdef"));
    }
    manager_ = nullptr;
  }
}

TEST_F(LogManagerTest, TakesOverADirectoryOfBeforeTheJournal) {
  for (const bool killed : {true, false}) {
    const std::string path = killed ? "/a" : "/b";
    OpenOptions alone;
    alone.dir = path + "/old-0";
    alone.partition = {"old", killed ? 0 : 1};
    alone.dir = path + "/" + ToString(alone.partition);
    alone.topic_id = *Uuid::FromBytes("0123456789abcdef");
    auto log = OpenLog(disk_, alone, kNow).value();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
    }
    ASSERT_TRUE(PerformSync(disk_, *log->TakeSync()));
    if (!killed) {
      ASSERT_TRUE(log->Close());
    }
  }
  disk_.Crash();
  for (int life = 0; life < 2; ++life) {
    Open();
    for (int partition : {0, 1}) {
      auto log = Get({"old", partition});
      EXPECT_EQ(log->end_offset(), 3 + life);
      Write(*log, 1);
    }
    manager_ = nullptr;
    disk_.Crash();
  }
}

// So another version may work on it, that knows no journal.
TEST_F(LogManagerTest, ACleanStopLeavesNothingInTheJournal) {
  Open();
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get({"t", 0}));
  Write(*logs.back(), 3);
  ASSERT_TRUE(logs.back()->TruncateTo(1));
  Write(*logs.back(), 1);
  const std::string dir = logs.back()->dir().substr(0, 2);
  ASSERT_FALSE(ReadJournal(disk_, dir + "/journal")->files.empty());
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  disk_.Crash();
  EXPECT_TRUE(ReadJournal(disk_, dir + "/journal")->plans.empty());
  // The other version is killed after it has written more.
  ASSERT_TRUE(disk_.Remove(dir + "/.kafka_cleanshutdown"));
  OpenOptions alone;
  alone.dir = dir + "/t-0";
  alone.partition = {"t", 0};
  auto log = OpenLog(disk_, alone, kNow).value();
  ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
  ASSERT_TRUE(PerformSync(disk_, *log->TakeSync()));
  log = nullptr;
  disk_.Crash();
  Open();
  EXPECT_EQ(Get({"t", 0})->end_offset(), 3);
}

TEST_F(LogManagerTest, StrangeDirectoriesAreLeftAlone) {
  ASSERT_TRUE(disk_.CreateDirectories("/a/lost+found"));
  ASSERT_TRUE(disk_.CreateDirectories("/a/nonumber-x"));
  const std::string strange[] = {"backup-2024", "t-00",           "t-7",
                                 "my-delete",   "photos.x-stray", "t.-delete"};
  for (const std::string& name : strange) {
    ASSERT_TRUE(disk_.CreateDirectories("/a/" + name));
    for (const char* file : {"/precious.tmp", "/notes"}) {
      ASSERT_TRUE(disk_.Open("/a/" + name + file, true));
    }
  }
  ASSERT_TRUE(disk_.CreateDirectories("/a/t-1.17-delete"));
  ASSERT_TRUE(disk_.CreateDirectories(
      "/a/t-1.0123456789abcdef0123456789abcdef-delete"));
  Open();
  EXPECT_TRUE(manager_->LoadedPartitions().empty());
  manager_.reset();
  EXPECT_TRUE(disk_.Exists("/a/lost+found"));
  for (const std::string& name : strange) {
    const auto names = disk_.List("/a/" + name);
    ASSERT_TRUE(names) << name;
    EXPECT_EQ(*names, (std::vector<std::string>{"notes", "precious.tmp"}));
  }
  const auto left = disk_.List("/a").value();
  for (const std::string& name : left) EXPECT_FALSE(name.starts_with("t-1"));
}

TEST(ParsePartitionDirectoryTest, Names) {
  EXPECT_EQ(ParsePartitionDirectory("orders-3"), (TopicPartition{"orders", 3}));
  EXPECT_EQ(ParsePartitionDirectory("a-b-12"), (TopicPartition{"a-b", 12}));
  for (const char* bad : {"orders", "-3", "orders-", "orders-x", "orders-3x",
                          "orders-03", "orders-+3"}) {
    EXPECT_FALSE(ParsePartitionDirectory(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidemark::log
