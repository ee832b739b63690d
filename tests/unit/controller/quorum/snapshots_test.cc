#include <string>

#include "controller/storage/raft_storage.h"
#include "tests/unit/controller/quorum/quorum_fixture.h"

namespace tidemark::quorum {
namespace {

TEST_F(QuorumTest, LaggingNodeGetsASnapshot) {
  MakeVoters(3);
  options_.snapshot_every_entries = 20;
  options_.snapshot_slack_entries = 2;
  Start(1);
  Start(2);
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  // More than one chunk.
  const std::string line(20'000, 'x');
  for (int i = 0; i < 60; ++i)
    ASSERT_TRUE(leader->Propose(std::to_string(i) + line));
  // It is written beside the log.
  ASSERT_TRUE(Eventually([&] { return leader->status().snapshot >= 20; }));
  Start(3);
  ASSERT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
  EXPECT_GE(nodes_[3]->loads(), 1);
  // And keeps it.
  nodes_.erase(3);
  Start(3);
  ASSERT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
}

// D-6, D-7: however long it takes to write a snapshot down, the log goes on.
TEST_F(QuorumTest, NothingWaitsForASnapshotThatIsWritten) {
  MakeVoters(1);
  options_.snapshot_every_entries = 20;
  options_.snapshot_slack_entries = 2;
  Start(1);
  TestNode* node = WaitForActive();
  ASSERT_NE(node, nullptr);
  node->machine().writing.Shut();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(node->Propose("e"));
  EXPECT_EQ(node->status().snapshot, 0);
  node->machine().writing.Open();
  EXPECT_TRUE(Eventually([&] { return node->status().snapshot >= 20; }));
  // With what came after it.
  const std::string state = node->state();
  nodes_.clear();
  Start(1);
  node = WaitForActive();
  EXPECT_EQ(node->state(), state);
  EXPECT_EQ(node->loads(), 1);
}

// A node that reads a large snapshot follows, votes and stores meanwhile; what
// is committed is applied after it, in order.
TEST_F(QuorumTest, NothingWaitsForASnapshotThatIsRead) {
  MakeVoters(3);
  options_.snapshot_every_entries = 20;
  options_.snapshot_slack_entries = 2;
  Start(1);
  Start(2);
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(leader->Propose("e"));
  ASSERT_TRUE(Eventually([&] { return leader->status().snapshot >= 20; }));
  Start(3);
  ASSERT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
  nodes_.erase(3);
  Start(3, {}, /*reads=*/false);
  const auto stored = [&] { return nodes_[3]->status().last; };
  ASSERT_TRUE(Eventually([&] { return stored() >= leader->status().last; }));
  // It is the majority now.
  nodes_.erase(IdOf(leader) == 1 ? 2 : 1);
  ASSERT_TRUE(leader->Propose("f"));
  EXPECT_EQ(nodes_[3]->state(), "");
  EXPECT_EQ(nodes_[3]->status().applied, 0);
  nodes_[3]->machine().reading.Open();
  EXPECT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
  EXPECT_EQ(nodes_[3]->loads(), 1);
}

// What a leader sends as its snapshot takes no log's place before it is seen to
// be one.
TEST_F(QuorumTest, BytesThatAreNoSnapshotReplaceNothing) {
  MakeVoters(3);
  options_.snapshot_every_entries = 20;
  options_.snapshot_slack_entries = 2;
  StartAll();
  ProposeSomewhere("a");
  ASSERT_TRUE(AllSay("1 2 3"));
  ASSERT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\n"; }));
  nodes_.erase(3);
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  // More than what waits for it on its way.
  for (int i = 0; i < 200; ++i) ProposeSomewhere("e");
  leader = WaitForActive();
  ASSERT_TRUE(Eventually([&] { return leader->status().snapshot >= 150; }));

  refuses_ = true;
  Start(3);
  ASSERT_TRUE(Eventually([&] { return nodes_[3]->machine().refused > 1; }));
  EXPECT_EQ(nodes_[3]->state(), "a\n");
  nodes_.erase(3);
  {
    auto disk = storage::RaftStorage::Open(DirectoryOf(3), "c1", 3);
    ASSERT_TRUE(disk) << disk.error().message;
    EXPECT_EQ((*disk)->Load()->snapshot.index, 0u);
    EXPECT_GE((*disk)->Load()->entries.size(), 2u);
  }
  refuses_ = false;
  Start(3);
  leader = WaitForActive();
  EXPECT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
}

}  // namespace
}  // namespace tidemark::quorum
