// What a backup is, and what becomes of the metadata in it when they take the
// place of newer ones.
#include "controller/metadata/went_back.h"

#include <gtest/gtest.h>

#include <string>

#include "common/metadata/apply.h"
#include "common/metadata/backup.h"
#include "common/metadata/configs.h"
#include "common/metadata/snapshot.h"

namespace tidemark::controller {
namespace {

using metadata::ImagePtr;

const Uuid kTopic = *Uuid::FromBytes("0123456789abcdef");
constexpr MetadataOffset kOffset = 77;

ImagePtr Some(ProducerId next_producer = 0, LeaderEpoch epoch = 7) {
  record_v1::RecordBatch batch;
  auto* broker = batch.add_records()->mutable_register_broker();
  broker->set_broker_id(1);
  broker->set_incarnation_id(Uuid::Random().ToBytes());
  broker->set_broker_epoch(42);
  auto* topic = batch.add_records()->mutable_add_topic();
  topic->set_name("t");
  topic->set_topic_id(kTopic.ToBytes());
  for (int i = 0; i < 3; ++i) {
    auto* partition = batch.add_records()->mutable_add_partition();
    partition->set_topic_id(kTopic.ToBytes());
    partition->set_partition(i);
    partition->add_replicas(1);
    partition->add_isr(1);
    partition->set_leader(1);
    partition->set_leader_epoch(epoch);
    partition->set_partition_epoch(9);
  }
  if (next_producer > 0) {
    auto* ids = batch.add_records()->mutable_allocate_producer_ids();
    ids->set_broker_id(kNoNode);
    ids->set_broker_epoch(-1);
    ids->set_next_producer_id(next_producer);
  }
  auto image = metadata::FromRecords(batch, kOffset);
  EXPECT_TRUE(image) << image.error().message;
  return *image;
}

std::string File() {
  backup::v1::Header header;
  header.set_cluster_id("c");
  header.set_offset(kOffset);
  header.set_epoch(5);
  return metadata::EncodeBackup(header, *Some(1000));
}

TEST(BackupTest, HoldsTheImage) {
  auto backup = metadata::DecodeBackup(File());
  ASSERT_TRUE(backup) << backup.error().message;
  EXPECT_EQ(backup->header.cluster_id(), "c");
  EXPECT_EQ(backup->header.epoch(), 5);
  EXPECT_EQ(backup->image->offset(), kOffset);
  EXPECT_EQ(backup->image->topics().size(), 1u);
  EXPECT_EQ(backup->image->producer_ids().next(), 1000);
}

TEST(BackupTest, RefusesEveryFlippedByteAndEveryCut) {
  const std::string file = File();
  for (size_t i = 0; i < file.size(); ++i) {
    std::string flipped = file;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    EXPECT_FALSE(metadata::DecodeBackup(flipped)) << i;
    EXPECT_FALSE(metadata::DecodeBackup(file.substr(0, i))) << i;
  }
  EXPECT_FALSE(metadata::DecodeBackup(file + "x"));
  EXPECT_FALSE(metadata::DecodeBackup(""));
}

TEST(WentBackTest, NothingIsGivenOutTwice) {
  for (const ProducerId given : {0, 1000}) {
    const ImagePtr before = Some(given);
    auto records = AfterGoingBack(*before);
    ASSERT_TRUE(records) << records.error().message;
    auto after = metadata::FromRecords(*records, kOffset + Steps().offset);
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ((*after)->producer_ids().next(), given + Steps().producer_id);
    const auto* partition = (*after)->FindPartition("t", 2);
    ASSERT_NE(partition, nullptr);
    EXPECT_EQ(partition->leader_epoch, 7 + Steps().leader_epoch);
    EXPECT_EQ(partition->partition_epoch, 9 + Steps().partition_epoch);
    EXPECT_EQ(partition->isr, std::vector<NodeId>{1});
    // What a broker that is still there is known by.
    EXPECT_EQ((*after)->FindBroker(1)->epoch, 42);
  }
}

TEST(WentBackTest, BrokersAreToKeepWhatTheMetadataDoNotKnow) {
  const ImagePtr before = Some();
  EXPECT_TRUE(metadata::MayRemoveUnknownLogs(*before, 1));
  auto records = AfterGoingBack(*before);
  ASSERT_TRUE(records);
  auto after = metadata::FromRecords(*records, kOffset + Steps().offset);
  ASSERT_TRUE(after);
  EXPECT_FALSE(metadata::MayRemoveUnknownLogs(**after, 1));
  // Again, though it has been so before.
  records = AfterGoingBack(**after);
  ASSERT_TRUE(records);
  after = metadata::FromRecords(*records, kOffset + 2 * Steps().offset);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_FALSE(metadata::MayRemoveUnknownLogs(**after, 1));
}

TEST(WentBackTest, EpochsThatCannotBeMovedOnAreRefused) {
  EXPECT_FALSE(AfterGoingBack(*Some(0, INT32_MAX - 5)));
}

// What was given out after the first time is not given out again: a life of an
// hour, in which everything went as fast as it can.
TEST(AfterGoingBackTest, TwiceFromOneFileGivesNothingOutAgain) {
  const int64_t first = 600'000, hour = 3'600'000;
  const Steps once = StepsAfter(first), again = StepsAfter(first + hour);
  EXPECT_GT(again.offset, once.offset + 3600 * 10'000);
  EXPECT_GT(again.producer_id, once.producer_id + 3600 * 100'000);
  EXPECT_GE(again.term, once.term + 3600);
  EXPECT_GE(again.leader_epoch, once.leader_epoch + 3600);
  EXPECT_GE(again.partition_epoch, once.partition_epoch + 7200);
  // A clock that was set back, and one that is far off.
  EXPECT_EQ(StepsAfter(-hour).offset, Steps().offset);
  EXPECT_GT(StepsAfter(INT64_MAX).leader_epoch, once.leader_epoch);
}

}  // namespace
}  // namespace tidemark::controller
