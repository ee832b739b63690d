#include "broker/server/partition_store.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

namespace tidemark::server {
namespace {

class PartitionStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/partition_store.XXXXXX";
    dir_ = mkdtemp(name);
    Restart();
  }
  void TearDown() override {
    store_.reset();
    manager_.reset();
    std::filesystem::remove_all(dir_);
  }
  void Restart() {
    store_.reset();
    manager_.reset();
    log::LogManagerOptions options;
    options.dirs = {dir_};
    manager_ = log::LogManager::Open(io::PosixFileSystem(), options, 0).value();
    store_ = std::make_unique<PartitionStore>(*manager_);
  }
  bool OnDisk(const std::string& name) {
    return std::filesystem::exists(dir_ + "/" + name);
  }

  const TopicPartition partition_{"t", 0};
  const Uuid id_ = Uuid::Random();
  std::string dir_;
  std::unique_ptr<log::LogManager> manager_;
  std::unique_ptr<PartitionStore> store_;
};

TEST_F(PartitionStoreTest, ADeletedLogIsGoneAndItsNameFree) {
  auto log = store_->Open(partition_, id_, {}, true, 0).value();
  EXPECT_TRUE(OnDisk("t-0"));
  EXPECT_TRUE(store_->Delete(std::move(log)));
  EXPECT_FALSE(OnDisk("t-0"));
  EXPECT_TRUE(store_->Open(partition_, Uuid::Random(), {}, true, 0));
}

TEST_F(PartitionStoreTest, ACleanShutdownKeepsLogsEpochAndHighWatermarks) {
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.push_back(store_->Open(partition_, id_, {}, true, 0).value());
  EXPECT_TRUE(logs[0]->AssignEpoch(4, 0));
  store_->SetHighWatermarks({{partition_, 9}});
  EXPECT_TRUE(store_->ShutDown(std::move(logs), 17));
  Restart();
  EXPECT_EQ(manager_->previous_broker_epoch(), 17);
  EXPECT_EQ(store_->HighWatermark(partition_), 9);
  EXPECT_EQ(store_->Open(partition_, id_, {}, true, 0).value()->latest_epoch(),
            4);
}

TEST_F(PartitionStoreTest, UnopenedLogsAreListedAndCanBeRemoved) {
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.push_back(store_->Open(partition_, id_, {}, true, 0).value());
  EXPECT_TRUE(store_->ShutDown(std::move(logs), 17));
  Restart();
  EXPECT_THAT(store_->Unopened(),
              testing::ElementsAre(testing::Pair(partition_, id_)));
  EXPECT_FALSE(store_->RemoveStray(partition_, Uuid::Random()));
  EXPECT_TRUE(OnDisk("t-0"));
  EXPECT_TRUE(store_->RemoveStray(partition_, id_));
  EXPECT_FALSE(OnDisk("t-0"));
}

}  // namespace
}  // namespace tidemark::server
