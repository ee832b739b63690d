#include "broker/server/partition_store.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

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
  Result<std::unique_ptr<log::Log>> Open(const Uuid& id) {
    std::promise<Result<std::unique_ptr<log::Log>>> opened;
    store_->Open(partition_, id, {}, true, 0,
                 [&](auto log) { opened.set_value(std::move(log)); });
    return opened.get_future().get();
  }
  Status ShutDown(std::vector<std::unique_ptr<log::Log>> logs) {
    std::promise<Status> done;
    store_->ShutDown(std::move(logs), 17,
                     [&](const Status& status) { done.set_value(status); });
    return done.get_future().get();
  }
  void Finish() { manager_->workers().Finish(); }
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
  auto log = Open(id_).value();
  EXPECT_TRUE(OnDisk("t-0"));
  store_->Delete(std::move(log));
  const Uuid other = Uuid::Random();
  EXPECT_EQ(Open(other).value()->topic_id(), other);
}

TEST_F(PartitionStoreTest, ACleanShutdownKeepsLogsEpochAndHighWatermarks) {
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.push_back(Open(id_).value());
  EXPECT_TRUE(logs[0]->AssignEpoch(4, 0));
  store_->SetHighWatermarks({{partition_, 9}});
  EXPECT_TRUE(ShutDown(std::move(logs)));
  Restart();
  EXPECT_EQ(manager_->previous_broker_epoch(), 17);
  EXPECT_EQ(store_->HighWatermark(partition_), 9);
  EXPECT_EQ(store_->Take(partition_, id_, {}), nullptr)
      << "it ends before the high watermark";
  EXPECT_EQ(Open(id_).value()->latest_epoch(), 4);
}

TEST_F(PartitionStoreTest, OnlyTheVeryLogIsTaken) {
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.push_back(Open(id_).value());
  EXPECT_TRUE(ShutDown(std::move(logs)));
  Restart();
  const Uuid other = Uuid::Random();
  EXPECT_EQ(store_->Take({"t", 1}, id_, {}), nullptr) << "there is none";
  EXPECT_EQ(store_->Take(partition_, other, {}), nullptr) << "it is a stray";
  EXPECT_NE(store_->Take(partition_, id_, {}), nullptr);
  EXPECT_EQ(store_->Take(partition_, id_, {}), nullptr) << "it is taken";
  Restart();
  // To be made before one of another topic takes the name.
  EXPECT_EQ(Open(other).value()->topic_id(), other);
}

TEST_F(PartitionStoreTest, UnopenedLogsAreListedAndCanBeRemoved) {
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.push_back(Open(id_).value());
  EXPECT_TRUE(ShutDown(std::move(logs)));
  Restart();
  EXPECT_THAT(store_->Unopened(),
              testing::ElementsAre(testing::Pair(partition_, id_)));
  store_->RemoveStray(partition_, Uuid::Random());
  Finish();
  EXPECT_TRUE(OnDisk("t-0"));
  store_->RemoveStray(partition_, id_);
  Finish();
  EXPECT_FALSE(OnDisk("t-0"));
}

}  // namespace
}  // namespace tidemark::server
