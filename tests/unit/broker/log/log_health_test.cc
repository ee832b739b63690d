// A directory that fails takes its logs along, and nothing else (B-32).
#include <gmock/gmock.h>

#include "tests/unit/broker/log/log_manager_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;

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

}  // namespace
}  // namespace tidemark::log
