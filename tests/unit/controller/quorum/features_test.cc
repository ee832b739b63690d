// What controllers say that they support, and a log that an older release is to
// read.
#include "controller/storage/raft_storage.h"
#include "tests/unit/controller/quorum/quorum_fixture.h"

namespace tidemark::quorum {
namespace {

// A log that is to be read by a release before this one.
TEST_F(QuorumTest, ASnapshotThatIsAskedForLeavesNoEntriesBehind) {
  MakeVoters(3);
  Start(1);
  Start(2);
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  ASSERT_TRUE(leader->Propose("a"));
  EXPECT_EQ(leader->status().snapshot, 0);
  leader->WantSnapshot();
  ASSERT_TRUE(leader->Propose("b"));
  EXPECT_TRUE(Eventually([&] { return leader->status().snapshot > 0; }));
  ASSERT_TRUE(leader->Propose("c"));
  // Only the snapshot has what came before it.
  Start(3);
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\nb\nc\n"; }));
  EXPECT_EQ(nodes_[3]->loads(), 1);
}

// The process ends when the snapshot is stored, before the log behind it goes.
TEST_F(QuorumTest, WhatWasToGoBeforeACrashGoesAfterIt) {
  MakeVoters(1);
  Start(1);
  TestNode* node = WaitForActive();
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(AllSay("1"));
  ASSERT_TRUE(node->Propose("low"));
  auto high = node->Propose("high");
  ASSERT_TRUE(high);
  const std::string state = node->state();
  nodes_.clear();
  auto open = [&] {
    return std::move(*storage::RaftStorage::Open(DirectoryOf(1), "c1", 1));
  };
  {
    auto disk = open();
    const auto stored = disk->Load();
    ASSERT_TRUE(stored);
    const auto last = stored->entries.back().position();
    raft::MembersPtr members;
    for (const raft::Entry& entry : stored->entries)
      if (entry.members) members = entry.members;
    ASSERT_TRUE(disk->StoreSnapshot(last, members,
                                    [&](const auto& part) { part(state); }));
  }
  Start(1);
  node = WaitForActive();
  EXPECT_EQ(node->state(), state);
  EXPECT_EQ(node->Run([&] { return node->machine().still_in_log; }), "lowhigh");
  ASSERT_TRUE(node->Propose("low"));
  ASSERT_TRUE(Eventually([&] { return node->status().snapshot > *high; }));
  nodes_.clear();
  EXPECT_GT(open()->Load()->base.index, static_cast<uint64_t>(*high));
}

TEST_F(QuorumTest, ControllersSayWhatTheySupport) {
  MakeVoters(3);
  const FeatureRanges now{{"f", {1, 2}}};
  options_.features = now;
  Start(1);
  Start(2);
  ProposeSomewhere("a");
  auto of = [&](NodeId asked, NodeId id) -> std::optional<FeatureRanges> {
    for (const auto& peer : nodes_[asked]->status().peers)
      if (peer.voter.id == id) return nodes_[asked]->FeaturesOf(peer);
    return std::nullopt;
  };
  EXPECT_EQ(of(1, 1), now);
  EXPECT_TRUE(Eventually([&] { return of(1, 2) == now && of(2, 1) == now; }));
  EXPECT_EQ(of(1, 3), std::nullopt) << "never seen";
  // The release before said nothing, and is known for that.
  options_.features = {};
  Start(3);
  EXPECT_TRUE(Eventually([&] { return of(1, 3) == FeatureRanges(); }));
  EXPECT_TRUE(AllSay("1 2 3"));
  EXPECT_EQ(of(1, 3), FeatureRanges());
  nodes_.erase(3);
  options_.features = now;
  Start(3);
  EXPECT_TRUE(Eventually([&] { return of(1, 3) == now && of(2, 3) == now; }));
}

TEST_F(QuorumTest, WhoIsBeingAddedIsKnownToTheLeader) {
  MakeVoters(1);
  Start(1);
  ASSERT_NE(WaitForActive(), nullptr);
  ASSERT_TRUE(AllSay("1"));
  const MemberChange add{.member = {.id = 2,
                                    .directory = Uuid::Random(),
                                    .host = "127.0.0.1",
                                    .port = FreePort()}};
  // It is not there, so it never catches up.
  auto change = std::async(std::launch::async, [&] {
    return nodes_[1]->Change(add, std::chrono::seconds(1));
  });
  EXPECT_TRUE(Eventually(
      [&] { return nodes_[1]->status().adding == std::vector<NodeId>{2}; }));
  EXPECT_EQ(change.get().error().code, ErrorCode::kRequestTimedOut);
  EXPECT_TRUE(nodes_[1]->status().adding.empty());
}

}  // namespace
}  // namespace tidemark::quorum
