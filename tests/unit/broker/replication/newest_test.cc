// The newest batches are served from memory, as they are on the disk.

#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;

class NewestTest : public testing::Test {
 protected:
  std::string ReadAs(NodeId id, Offset from) {
    const FetchAnswer answer =
        cluster_.Replica(id, kT0)->ReadOwn(from, 1 << 20);
    EXPECT_EQ(answer.error, ErrorCode::kNone);
    return std::string(answer.records.bytes().view());
  }
  std::string OnDisk(NodeId id, Offset from) {
    return std::string(cluster_.Replica(id, kT0)
                           ->log()
                           .Read(from, INT64_MAX, 1 << 20, true)
                           ->view());
  }
  int64_t MemoryReads(NodeId id) {
    return cluster_.broker(id).replicas->stats().memory_reads;
  }

  TestCluster cluster_{2, 1 << 20};
};

TEST_F(NewestTest, FollowersAndReadersGetWhatIsOnTheDisk) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  for (const char* value : {"a", "b", "c"}) {
    ASSERT_EQ(cluster_.Produce(1, kT0, value).error, ErrorCode::kNone);
  }
  cluster_.executor.RunFor(seconds(1));
  EXPECT_GE(MemoryReads(1), 3) << "of the follower";
  EXPECT_EQ(OnDisk(1, 0), OnDisk(2, 0));
  for (const Offset from : {0, 1, 2}) {
    EXPECT_EQ(ReadAs(1, from), OnDisk(1, from)) << from;
  }
  EXPECT_EQ(MemoryReads(2), 0) << "it has not led";
}

TEST_F(NewestTest, WhatAnotherLeaderWroteIsNotTakenForItsOwn) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  ASSERT_EQ(cluster_.Produce(1, kT0, "first").error, ErrorCode::kNone);
  cluster_.executor.RunFor(seconds(1));
  // Appended by the leader, and cut when the other leads without it.
  cluster_.cut = {{2, 1}, {1, 2}};
  (void)cluster_.Produce(1, kT0, "lost", 1);
  ASSERT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 2);
  cluster_.Elect("t", 0, 2, {2});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_EQ(cluster_.Produce(2, kT0, "kept", 1).error, ErrorCode::kNone);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(5));
  cluster_.Elect("t", 0, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_EQ(OnDisk(1, 1), OnDisk(2, 1));
  EXPECT_EQ(ReadAs(1, 1), OnDisk(2, 1));
}

TEST_F(NewestTest, ATrimmedBeginningIsNotRead) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  for (const char* value : {"a", "b"}) {
    ASSERT_EQ(cluster_.Produce(1, kT0, value).error, ErrorCode::kNone);
  }
  cluster_.executor.RunFor(seconds(1));
  ASSERT_TRUE(cluster_.Replica(1, kT0)->TrimTo(1));
  EXPECT_FALSE(cluster_.Replica(1, kT0)->log().ReadNewest(0, 2, 1 << 20, true));
  EXPECT_TRUE(cluster_.Replica(1, kT0)->log().ReadNewest(1, 2, 1 << 20, true));
}

}  // namespace
}  // namespace tidemark::replication
