// What controllers say that they support, and a log that an older release is to
// read.
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

}  // namespace
}  // namespace tidemark::quorum
