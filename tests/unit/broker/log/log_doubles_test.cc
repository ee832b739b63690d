// Several logs by one name, in directories that were not there for a while.
#include <gmock/gmock.h>

#include "tests/unit/broker/log/log_manager_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;

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

}  // namespace
}  // namespace tidemark::log
