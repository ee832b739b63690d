#include "broker/log/log_manager.h"

#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;

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
  void Write(Log& log, int batches, LeaderEpoch epoch = 0) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(log.AppendAsLeader(Batch(1), epoch, kNow));
    }
    auto work = log.TakeSync();
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(status); });
    ASSERT_TRUE(done.get_future().get());
    log.Flushed(*work);
  }

  // Until the file has the partition, at that offset at least.
  void Await(const std::string& file, const TopicPartition& partition,
             Offset least = 0) {
    const auto written = [&] {
      const auto offsets = ReadOffsets(disk_, file);
      return offsets && offsets->contains(partition) &&
             offsets->at(partition) >= least;
    };
    for (int i = 0; i < 500 && !written(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(written());
  }

  sim::SimDisk disk_{3};
  LogManagerOptions options_;
  std::unique_ptr<LogManager> manager_;
  std::vector<std::string> offline_;
};

// A disk that was broken when a topic was made anew comes back with the old.
TEST_F(LogManagerTest, OfTwoLogsByOneNameTheTopicsIsThePartitions) {
  const TopicPartition name{"t", 0};
  const std::string ids[] = {"0123456789abcdef", "fedcba9876543210"};
  for (const size_t wanted : {0u, 1u}) {
    SCOPED_TRACE(wanted);
    for (const std::string dir : {"/a", "/b"}) {
      ASSERT_TRUE(disk_.RemoveAll(dir));
      options_.dirs = {dir};
      ASSERT_NO_FATAL_FAILURE(Open());
      std::vector<std::unique_ptr<Log>> logs;
      logs.push_back(Get(name, ids[dir == "/b"]));
      Write(*logs[0], dir == "/b" ? 2 : 1);
      ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
    }
    options_.dirs = {"/a", "/b"};
    ASSERT_NO_FATAL_FAILURE(Open());
    EXPECT_TRUE(offline_.empty());
    EXPECT_EQ(manager_->LoadedPartitions().size(), 2u);
    const Uuid id = *Uuid::FromBytes(ids[wanted]);
    EXPECT_EQ(manager_->TakeFound(name, id, {}), nullptr)
        << "the other has to go first";
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(Get(name, ids[wanted]));
    EXPECT_EQ(logs[0]->end_offset(), static_cast<Offset>(wanted + 1));
    EXPECT_EQ(manager_->DirectoryOf(name), options_.dirs[wanted]);
    ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_EQ(manager_->LoadedPartitions().size(), 1u);
    EXPECT_EQ(manager_->LoadedPartitions()[0].topic_id, id);
    manager_.reset();
  }
}

// The disk broke while it was made.
TEST_F(LogManagerTest, OfALogOnlyTheNameIsLeftBesideTheOne) {
  const TopicPartition name{"t", 0};
  ASSERT_TRUE(disk_.CreateDirectories("/a/t-0"));
  options_.dirs = {"/b"};
  ASSERT_NO_FATAL_FAILURE(Open());
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(Get(name));
  Write(*logs[0], 1);
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  options_.dirs = {"/a", "/b"};
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(offline_.empty());
  logs.push_back(Get(name));
  EXPECT_EQ(logs[0]->end_offset(), 1);
  EXPECT_FALSE(disk_.Exists("/a/t-0"));
}

// Nothing says which of them is to be believed.
TEST_F(LogManagerTest, TwoLogsOfOneTopicAreForTheOperatorToSort) {
  for (const std::string dir : {"/a", "/b"}) {
    options_.dirs = {dir};
    ASSERT_NO_FATAL_FAILURE(Open());
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(Get({"t", 0}));
    ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  }
  options_.dirs = {"/a", "/b"};
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(offline_, std::vector<std::string>{"/b"});
}

TEST_F(LogManagerTest, StraysByOneNameAreRemovedOneByOne) {
  const TopicPartition name{"t", 0};
  const std::string ids[] = {"0123456789abcdef", "fedcba9876543210"};
  for (const std::string dir : {"/a", "/b"}) {
    options_.dirs = {dir};
    ASSERT_NO_FATAL_FAILURE(Open());
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(Get(name, ids[dir == "/b"]));
    ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  }
  options_.dirs = {"/a", "/b"};
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(manager_->RemoveStray(name, *Uuid::FromBytes(ids[1])));
  EXPECT_TRUE(disk_.Exists("/a/t-0"));
  EXPECT_FALSE(disk_.Exists("/b/t-0"));
  EXPECT_TRUE(manager_->RemoveStray(name, *Uuid::FromBytes(ids[0])));
  EXPECT_FALSE(disk_.Exists("/a/t-0"));
  EXPECT_TRUE(manager_->LoadedPartitions().empty());
}

// B-30: a crash takes nothing of what the checkpoint files promise.
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
  manager_->SetHighWatermarks({{{"t", 0}, 1}});
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
  disk_.FailReads(dir + "/replication-offset-checkpoint");
  Open();
  EXPECT_EQ(manager_->OfflineDirectories(), std::vector<std::string>{dir});
  EXPECT_FALSE(manager_->GetOrCreate(
      {"t", 0}, *Uuid::FromBytes("0123456789abcdef"), {}, false, kNow));
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

TEST_F(LogManagerTest, FailedSyncTakesTheDirectoryOffline) {
  Open();
  auto log = Get({"t", 0});
  ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
  auto work = log->TakeSync();
  disk_.FailSyncs("journal");
  for (int i = 0; i < 2; ++i) {
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(status); });
    EXPECT_FALSE(done.get_future().get());
    disk_.FailSyncs("");  // the second time it would succeed, and lie
  }
  EXPECT_TRUE(log->failed());
}

// Its disk was unmounted, say: what is open would be written to for a while,
// and new files would land on another disk.
TEST_F(LogManagerTest, ADirectoryThatIsAnotherByNowIsNotUsed) {
  std::atomic<bool> gone = false;
  options_.check = [&](const std::string& dir) -> Status {
    if (!gone || dir != "/b") return {};
    return Fail(ErrorCode::kKafkaStorageError, "gone");
  };
  Open();
  EXPECT_TRUE(manager_->OfflineDirectories().empty());
  gone = true;
  for (int i = 0; i < 500 && manager_->OfflineDirectories().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(manager_->OfflineDirectories(), std::vector<std::string>{"/b"});
  manager_.reset();
  EXPECT_EQ(offline_, std::vector<std::string>{"/b"});
}

// What memory shows then need not be on the disk, and no sync will say so.
TEST_F(LogManagerTest, AfterAFailedSyncOnlyAnotherBootUsesTheDirectory) {
  options_.directory.boot = "1";
  Open();
  auto log = Get({"t", 0});
  const std::string dir = manager_->DirectoryOf({"t", 0});
  Write(*log, 1);
  ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
  auto work = log->TakeSync();
  disk_.FailSyncs(dir + "/");
  std::promise<Status> done;
  work->mark->syncer()->Enqueue(*work,
                                [&](Status status) { done.set_value(status); });
  ASSERT_FALSE(done.get_future().get());
  log.reset();
  manager_.reset();
  disk_.KillProcess();
  disk_.FailSyncs("");
  for (int i = 0; i < 2; ++i) {
    offline_.clear();
    Open();
    EXPECT_THAT(offline_, ElementsAre(dir));
    EXPECT_TRUE(manager_->LoadedPartitions().empty());
    manager_.reset();
    disk_.KillProcess();
  }
  disk_.Crash();
  options_.directory.boot = "2";
  for (int i = 0; i < 2; ++i) {
    offline_.clear();
    Open();
    EXPECT_THAT(offline_, ElementsAre());
    EXPECT_GE(Get({"t", 0})->end_offset(), 1) << "what was acknowledged";
    manager_.reset();
    disk_.KillProcess();
  }
}

TEST_F(LogManagerTest, AfterAFailedWriteTheNextProcessUsesTheDirectory) {
  options_.directory.boot = "1";
  Open();
  auto log = Get({"t", 0});
  const std::string dir = manager_->DirectoryOf({"t", 0});
  disk_.FailWrites(dir + "/");
  ASSERT_FALSE(log->AppendAsLeader(Batch(1), 0, kNow));
  EXPECT_THAT(offline_, ElementsAre(dir));
  log.reset();
  manager_.reset();
  disk_.KillProcess();
  disk_.FailWrites("");
  offline_.clear();
  Open();
  EXPECT_THAT(offline_, ElementsAre());
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
