// What is to be removed may find no room for its other name, or nobody who
// removes it: it is tried again, and breaks nothing.
#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

class RemovalTest : public testing::Test {
 protected:
  RemovalTest() {
    options_.dirs = {"/data"};
    options_.config.file_delete_delay_ms = 0;
    options_.on_offline = [](const std::string& dir, const Error& why) {
      ADD_FAILURE() << dir << " is offline: " << why.message;
    };
    auto manager = LogManager::Open(disk_, options_, 0);
    CHECK(manager);
    manager_ = std::move(*manager);
  }
  Result<std::unique_ptr<Log>> Make(const Uuid& id) {
    return manager_->GetOrCreate(kName, id, {}, true, 0);
  }
  bool Trash() {
    const auto names = disk_.List("/data").value();
    for (const std::string& name : names) {
      if (name.ends_with("-delete") || name.ends_with("-stray")) return true;
    }
    return false;
  }
  static bool Soon(const std::function<bool()>& test) {
    for (int i = 0; i < 500 && !test(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return test();
  }
  const TopicPartition kName{"t", 0};
  const Uuid kOld = *Uuid::FromBytes("0123456789abcdef");
  const Uuid kNew = *Uuid::FromBytes("fedcba9876543210");

  sim::SimDisk disk_{5};
  LogManagerOptions options_;
  std::unique_ptr<LogManager> manager_;
};

TEST_F(RemovalTest, ALogForWhoseOtherNameThereIsNoRoomGoesWhenThereIs) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  disk_.FailNamesAfter(0);
  EXPECT_EQ(manager_->DeleteLog(std::move(*log)).error().code,
            ErrorCode::kOutOfSpace);
  EXPECT_TRUE(disk_.Exists("/data/t-0"));
  EXPECT_EQ(Make(kNew).error().code, ErrorCode::kOutOfSpace)
      << "the name is not free";
  EXPECT_TRUE(manager_->OfflineDirectories().empty());
  disk_.FailNamesAfter(INT64_MAX);
  EXPECT_TRUE(Soon([&] { return !disk_.Exists("/data/t-0") && !Trash(); }));
  log = Make(kNew);
  ASSERT_TRUE(log);
  EXPECT_EQ((*log)->topic_id(), kNew);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(*log));
  EXPECT_TRUE(manager_->ShutdownCleanly(std::move(logs), 7));
}

TEST_F(RemovalTest, WhatCannotBeRemovedNowIsRemovedLater) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  disk_.FailNamesAfter(1);
  ASSERT_TRUE(manager_->DeleteLog(std::move(*log)));
  ASSERT_TRUE(Soon([&] { return disk_.refused_names() > 0; }));
  EXPECT_TRUE(Trash());
  disk_.FailNamesAfter(INT64_MAX);
  EXPECT_TRUE(Soon([&] { return !Trash(); }));
}

// Somebody has removed it by hand.
TEST_F(RemovalTest, ALogThatIsGoneAlreadyTakesNoDirectoryAlong) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  ASSERT_TRUE(disk_.RemoveAll("/data/t-0"));
  EXPECT_TRUE(manager_->DeleteLog(std::move(*log)));
  EXPECT_TRUE(manager_->OfflineDirectories().empty());
  EXPECT_TRUE(Make(kNew));
}

// More than are remembered: they are found again in the directory.
// After the metadata have gone back in time (quorum restore, quorum recover).
TEST_F(RemovalTest, WhatIsToBeKeptIsRenamedAndStays) {
  const auto kept = [&] {
    const auto names = disk_.List("/data").value();
    return std::count_if(names.begin(), names.end(), [](const auto& name) {
      return name.starts_with("t-0.") && name.ends_with("-kept");
    });
  };
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  ASSERT_TRUE((*log)->AppendAsLeader(Batch(1), 0, kNow));
  manager_->KeepLogs(true);
  ASSERT_TRUE(manager_->DeleteLog(std::move(*log)));
  EXPECT_EQ(kept(), 1);
  // Found at start, and nobody's: a stray, or in the way of another topic's.
  for (int i = 0; i < 2; ++i) {
    auto other = Make(kOld);
    ASSERT_TRUE(other);
    ASSERT_TRUE((*other)->AppendAsLeader(Batch(1), 0, kNow));
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(std::move(*other));
    ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 1));
    manager_ = nullptr;
    auto manager = LogManager::Open(disk_, options_, 0);
    ASSERT_TRUE(manager);
    manager_ = std::move(*manager);
    manager_->KeepLogs(true);
    if (i == 0) {
      ASSERT_TRUE(manager_->RemoveStray(kName, kOld));
    } else {
      auto made = Make(kNew);
      ASSERT_TRUE(made);
      EXPECT_EQ((*made)->end_offset(), 0);
      // As before, once that is wanted again.
      manager_->KeepLogs(false);
      ASSERT_TRUE(manager_->DeleteLog(std::move(*made)));
      EXPECT_TRUE(Soon([&] { return !Trash(); }));
    }
  }
  EXPECT_EQ(kept(), 3);
}

TEST(LogManagerRemovals, MoreThanAreRememberedAreFoundAgain) {
  sim::SimDisk disk(5);
  LogManagerOptions options;
  options.dirs = {"/a"};
  options.most_removals = 2;
  options.config.file_delete_delay_ms = 0;
  auto manager = LogManager::Open(disk, options, kNow).value();
  std::vector<std::unique_ptr<Log>> logs;
  constexpr PartitionIndex kLogs = 8;
  for (PartitionIndex i = 0; i < kLogs; ++i) {
    logs.push_back(manager
                       ->GetOrCreate({"t", i},
                                     *Uuid::FromBytes("0123456789abcdef"), {},
                                     true, kNow)
                       .value());
  }
  disk.FailNamesAfter(kLogs);
  for (auto& log : logs) (void)manager->DeleteLog(std::move(log));
  const auto await = [](const std::function<bool()>& done) {
    for (int i = 0; i < 2000 && !done(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return done();
  };
  const int64_t refused = disk.refused_names();
  ASSERT_TRUE(await([&] { return disk.refused_names() > refused + kLogs; }));
  disk.FailNamesAfter(INT64_MAX);
  EXPECT_TRUE(await([&] {
    const auto names = disk.List("/a").value();
    return std::none_of(names.begin(), names.end(), [](const auto& name) {
      return name.starts_with("t-");
    });
  }));
}

}  // namespace
}  // namespace tidemark::log
