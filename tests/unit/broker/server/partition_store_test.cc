#include "broker/server/partition_store.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "broker/server/replica_locations.h"
#include "common/metadata/apply.h"
#include "common/record/batch_builder.h"
#include "tests/unit/broker/kafka/test_services.h"

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

// Of a log without partition.metadata nobody can tell of which topic it is.
class NamelessLogTest : public PartitionStoreTest {
 protected:
  void SetUp() override {
    PartitionStoreTest::SetUp();
    std::vector<std::unique_ptr<log::Log>> logs;
    logs.push_back(Open(id_).value());
    record::BatchBuilder batch;
    batch.Add(0, std::nullopt, "an earlier topic's, or this one's");
    ASSERT_TRUE(logs[0]->AppendAsLeader(batch.Build(), 0, 0));
    ASSERT_TRUE(ShutDown(std::move(logs)));
    std::filesystem::remove(dir_ + "/t-0/partition.metadata");
    Restart();
    store_->Tell(&locations_);
  }
  void TearDown() override {
    store_->Tell(nullptr);
    PartitionStoreTest::TearDown();
  }
  void MetadataSay(std::vector<NodeId> isr) {
    tidemark::metadata::v1::RecordBatch batch;
    auto* topic = batch.add_records()->mutable_add_topic();
    topic->set_name("t");
    topic->set_topic_id(id_.ToBytes());
    auto* add = batch.add_records()->mutable_add_partition();
    add->set_topic_id(id_.ToBytes());
    add->add_replicas(1);
    add->add_replicas(2);
    for (NodeId id : isr) add->add_isr(id);
    add->set_leader(kNoNode);
    add->set_partition_epoch(3);
    auto image = *metadata::ApplyBatch(std::make_shared<metadata::Image>(),
                                       batch, 1, nullptr);
    holder_.Set(image);
    locations_.SetFirstImage(*image);
  }
  bool IsSetAside() {
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      if (entry.path().string().ends_with("-nameless")) return true;
    }
    return false;
  }

  ImageHolder holder_;
  FakeController controller_;
  ManualExecutor executor_;
  ReplicaLocations locations_{
      1, {{"/d", Uuid::Random()}}, holder_, controller_, executor_};
};

TEST_F(NamelessLogTest, ItIsNoNewTopics) {
  const Uuid other = Uuid::Random();
  auto log = Open(other).value();
  EXPECT_EQ(log->topic_id(), other);
  EXPECT_EQ(log->end_offset(), 0);
  EXPECT_TRUE(IsSetAside());
  // There it stays.
  log.reset();
  Finish();
  Restart();
  EXPECT_TRUE(IsSetAside());
}

TEST_F(NamelessLogTest, NorAReplicasThatIsNotCountedOn) {
  MetadataSay({2});
  EXPECT_EQ(Open(id_).value()->end_offset(), 0);
  EXPECT_TRUE(IsSetAside());
}

TEST_F(NamelessLogTest, ItIsTheOneThatIsCountedOn) {
  MetadataSay({1, 2});
  EXPECT_EQ(Open(id_).value()->end_offset(), 1);
  EXPECT_FALSE(IsSetAside());
}

}  // namespace
}  // namespace tidemark::server
