#include <string>
#include <vector>

#include "tests/unit/controller/quorum/quorum_fixture.h"

namespace tidemark::quorum {
namespace {

using testing::HasSubstr;

// D-8: the state machine is told first. It would look at each failure on its
// own otherwise, and decide all anew that is still on its way, each time.
TEST_F(QuorumTest, DeposedWithManyInFlightTheMachineResignsFirst) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  const NodeId self = IdOf(leader);
  for (const Voter& voter : options_.voters)
    if (voter.id != self) nodes_.erase(voter.id);
  std::atomic<int> failed = 0, while_active = 0;
  leader->ProposeMany(1000, "p", [&](bool ok, bool active) {
    if (ok) return;
    while_active += active;
    ++failed;
  });
  EXPECT_TRUE(Eventually([&] { return failed == 1000; }));
  EXPECT_EQ(while_active, 0);
}

TEST_F(QuorumTest, SingleVoterLeadsAtOnceAndComesBackFromDisk) {
  MakeVoters(1);
  Start(1);
  TestNode* node = WaitForActive();
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(AllSay("1"));
  auto first = node->Propose("a");
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, 3);
  EXPECT_TRUE(node->ReadIndex());
  nodes_.clear();
  Start(1);
  node = WaitForActive();
  EXPECT_EQ(node->state(), "a\n");
  EXPECT_EQ(node->status().term, 2u);
}

// D-7: what a node has to apply when it starts keeps it from nothing else.
TEST_F(QuorumTest, ALongTailIsAppliedInTurnsWithAllElse) {
  MakeVoters(1);
  Start(1);
  TestNode* node = WaitForActive();
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(AllSay("1"));
  constexpr int kEntries = 3000;
  std::atomic<int> committed = 0;
  node->ProposeMany(kEntries, std::string(1000, 'e'),
                    [&](bool ok, bool) { committed += ok; });
  ASSERT_TRUE(Eventually([&] { return committed == kEntries; }));
  nodes_.clear();

  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  Start(1, std::chrono::microseconds(300));
  node = nodes_[1].get();
  Clock::duration longest{};
  while (true) {
    const auto before = Clock::now();
    const bool active = node->active();
    longest = std::max(longest, Clock::now() - before);
    if (active) break;
    ASSERT_LT(Clock::now() - began, kLimit);
  }
  EXPECT_GE(Clock::now() - began, std::chrono::milliseconds(900));
  EXPECT_LT(longest, std::chrono::milliseconds(300));
  EXPECT_EQ(node->status().applied, kEntries + 3);
}

TEST_F(QuorumTest, ThreeVotersReplicateAndSurviveTheLeader) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(leader->Propose("before" + std::to_string(i)));
  EXPECT_TRUE(leader->ReadIndex());
  const std::string state = leader->state();
  for (auto& [id, node] : nodes_)
    EXPECT_TRUE(Eventually([&] { return node->state() == state; }));

  const NodeId old = IdOf(leader);
  nodes_.erase(old);
  const auto killed = std::chrono::steady_clock::now();
  leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  const auto gap = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - killed);
  RecordProperty("failover_ms", static_cast<int>(gap.count()));
  std::cout << "failover " << gap.count() << " ms\n";
  ProposeSomewhere("after");

  Start(old);
  EXPECT_TRUE(
      Eventually([&] { return nodes_[old]->state() == state + "after\n"; }));
}

TEST_F(QuorumTest, LeaderThatWantsToGoHandsOver) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  ASSERT_TRUE(leader->Propose("a"));
  const uint64_t term = leader->status().term;
  leader->HandOver();
  EXPECT_FALSE(leader->active());
  EXPECT_EQ(leader->status().term, term + 1);
  const NodeId next = leader->status().leader;
  EXPECT_NE(next, IdOf(leader));
  ASSERT_TRUE(nodes_.contains(next));
  EXPECT_TRUE(Eventually([&] { return nodes_[next]->active(); }));
  EXPECT_TRUE(nodes_[next]->Propose("b"));
  // Nothing to hand over: done at once.
  leader->HandOver();
  EXPECT_EQ(leader->status().leader, next);
}

TEST_F(QuorumTest, NobodyThereToHandOverTo) {
  MakeVoters(1);
  Start(1);
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  leader->HandOver();
  EXPECT_TRUE(leader->active());
}

TEST_F(QuorumTest, FollowerRefusesProposalsAndReads) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  for (auto& [id, node] : nodes_) {
    if (node.get() == leader) continue;
    EXPECT_EQ(node->Propose("x").error().code, ErrorCode::kNotController);
    EXPECT_EQ(node->ReadIndex().error().code, ErrorCode::kNotController);
    EXPECT_TRUE(
        Eventually([&] { return node->status().leader == IdOf(leader); }));
  }
  EXPECT_EQ(leader->Propose("").error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(leader->Propose(std::string(kMaxEntryBytes + 1, 'x')).error().code,
            ErrorCode::kMessageTooLarge);
}

TEST_F(QuorumTest, LargestEntryIsReplicated) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  const std::string big(kMaxEntryBytes, 'x');
  ASSERT_TRUE(leader->Propose(big));
  for (auto& [id, node] : nodes_)
    EXPECT_TRUE(Eventually([&] { return node->state() == big + "\n"; }));
}

TEST_F(QuorumTest, WithoutAMajorityNothingIsAnsweredAndTheLeaderResigns) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  const NodeId id = IdOf(leader);
  for (NodeId other = 1; other <= 3; ++other)
    if (other != id) nodes_.erase(other);
  auto result = leader->Propose("lost");
  EXPECT_EQ(result.error().code, kOutcomeUnknown);
  EXPECT_FALSE(leader->active());
}

TEST_F(QuorumTest, AllRestartFromDisk) {
  MakeVoters(3);
  StartAll();
  ProposeSomewhere("a");
  ProposeSomewhere("b");
  nodes_.clear();
  StartAll();
  ProposeSomewhere("c");
  for (auto& [id, node] : nodes_)
    EXPECT_TRUE(Eventually([&] { return node->state() == "a\nb\nc\n"; }));
}

TEST_F(QuorumTest, MisfitOptionsAreRefusedWithWhatToDo) {
  MakeVoters(1);
  auto error = [&](auto change) {
    Options options = options_;
    options.self = 1;
    options.directory = DirectoryOf(1);
    change(options);
    return TestNode(options).error();
  };
  EXPECT_EQ(error([](Options&) {}), "");
  EXPECT_THAT(error([](Options& o) { o.self = 9; }),
              HasSubstr("not in controller.quorum.voters"));
  EXPECT_THAT(error([](Options& o) { o.voters.push_back(o.voters[0]); }),
              HasSubstr("twice"));
  EXPECT_THAT(error([](Options& o) { o.cluster_id = "c2"; }),
              HasSubstr("belongs to cluster c1"));
  EXPECT_THAT(error([](Options& o) { o.directory += "/none"; }),
              HasSubstr("tidemark storage format"));
}

// D-4: the list of ids in the configuration becomes (id, directory) in the log.
TEST_F(QuorumTest, AConfiguredQuorumAgreesOnItsDirectories) {
  MakeVoters(3);
  Start(1);
  Start(2);
  ProposeSomewhere("a");
  EXPECT_EQ(MembersOf(*nodes_[1]), "not agreed");
  Start(3);
  EXPECT_TRUE(AllSay("1 2 3"));
  const uint64_t term = nodes_[1]->status().term;
  for (const auto& peer : nodes_[1]->status().peers) {
    EXPECT_EQ(peer.directory, nodes_[peer.voter.id]->meta().directory_id);
    EXPECT_EQ(peer.voter.port, options_.voters[peer.voter.id - 1].port);
  }
  ProposeSomewhere("b");
  // Nobody was taken for dead because of it.
  EXPECT_EQ(nodes_[1]->status().term, term);
  nodes_.clear();
  StartAll();
  EXPECT_TRUE(AllSay("1 2 3"));
  ProposeSomewhere("c");
}

TEST_F(QuorumTest, AQuorumFormattedTogetherKnowsItsDirectoriesFromTheStart) {
  std::vector<io::InitialVoter> voters;
  for (NodeId id = 1; id <= 3; ++id)
    voters.push_back({id, "127.0.0.1", FreePort(), Uuid::Random()});
  for (const auto& voter : voters) {
    const std::string directory = DirectoryOf(voter.id);
    fs::create_directory(directory);
    ASSERT_TRUE(io::SaveInitialVoters(directory, voters));
    ASSERT_TRUE(io::FormatDirectory(directory, "c1", voter.id,
                                    io::Use::kMetadata, voter.directory));
  }
  StartJoining(1, voters[0].port);
  StartJoining(2, voters[1].port);
  EXPECT_TRUE(AllSay("1 2 3"));
  ProposeSomewhere("a");
  StartJoining(3, voters[2].port);
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\n"; }));
}

TEST_F(QuorumTest, AFourthVoterIsAddedAndALeaderRemoved) {
  MakeVoters(3);
  StartAll();
  ProposeSomewhere("a");
  ASSERT_TRUE(AllSay("1 2 3"));
  const uint16_t port = FreePort();
  StartJoining(4, port);
  MemberChange add = Add(4, port);
  add.only_learner = true;
  EXPECT_TRUE(ChangeSomewhere(add));
  EXPECT_TRUE(AllSay("1 2 3 -4"));
  EXPECT_TRUE(Eventually([&] { return nodes_[4]->state() == "a\n"; }));
  add.only_learner = false;
  EXPECT_TRUE(ChangeSomewhere(add));
  EXPECT_TRUE(AllSay("1 2 3 4"));
  EXPECT_TRUE(ChangeSomewhere(add));  // it is so already

  // Three of four are needed, and the fourth is one.
  TestNode* leader = WaitForActive();
  NodeId gone = IdOf(leader) == 1 ? 2 : 1;
  nodes_.erase(gone);
  ProposeSomewhere("b");
  if (gone == 1) {
    Start(1);
  } else {
    Start(2);
  }

  leader = WaitForActive();
  const NodeId old = IdOf(leader);
  EXPECT_TRUE(ChangeSomewhere(Remove(old)));
  ProposeSomewhere("c");
  EXPECT_TRUE(Eventually([&] { return !nodes_[old]->active(); }));
  for (auto& [id, node] : nodes_) {
    if (id == old) continue;
    EXPECT_TRUE(Eventually([&] { return node->state() == "a\nb\nc\n"; }));
  }
  // It does not come back, nor disturbs.
  TestNode* next = WaitForActive();
  const uint64_t term = next->status().term;
  nodes_.erase(old);
  if (old == 4) {
    StartJoining(4, port);
  } else {
    Start(old);
  }
  ProposeSomewhere("d");
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(next->status().term, term);
  EXPECT_TRUE(next->active());
}

// F21, R-18: the way back of a controller whose disk is lost, under its id.
TEST_F(QuorumTest, ALostDiskIsReplacedUnderTheSameId) {
  MakeVoters(3);
  StartAll();
  ProposeSomewhere("a");
  ASSERT_TRUE(AllSay("1 2 3"));
  nodes_.erase(3);
  fs::remove_all(DirectoryOf(3));
  ASSERT_TRUE(io::FormatDirectory(DirectoryOf(3), "c1", 3, io::Use::kMetadata));
  Start(3);
  ProposeSomewhere("b");
  EXPECT_EQ(nodes_[3]->state(), "");
  const MemberChange add = Add(3, options_.voters[2].port);
  EXPECT_EQ(ChangeSomewhere(add).error().code, ErrorCode::kDuplicateVoter);
  MemberChange other = Remove(3);
  other.member.directory = nodes_[3]->meta().directory_id;
  EXPECT_EQ(ChangeSomewhere(other).error().code, ErrorCode::kVoterNotFound);
  EXPECT_TRUE(ChangeSomewhere(Remove(3)));
  EXPECT_TRUE(ChangeSomewhere(add));
  EXPECT_TRUE(AllSay("1 2 3"));
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\nb\n"; }));
  // With it there is a majority.
  nodes_.erase(2);
  ProposeSomewhere("c");
}

TEST_F(QuorumTest, LeadershipGoesToTheOneThatIsNamed) {
  MakeVoters(3);
  StartAll();
  ASSERT_TRUE(AllSay("1 2 3"));
  for (NodeId to : {1, 2, 3, 1}) {
    TestNode* leader = WaitForActive();
    if (IdOf(leader) == to) continue;
    EXPECT_FALSE(leader->Transfer(9));
    EXPECT_TRUE(leader->Transfer(IdOf(leader)) && leader->Transfer(to));
    EXPECT_TRUE(Eventually([&] { return nodes_[to]->active(); })) << to;
  }
}

}  // namespace
}  // namespace tidemark::quorum
