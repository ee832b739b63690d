// Three controllers' quorums in one process (quorum_fixture.h).
#include "common/io/initial_voters.h"
#include "proto/raft.grpc.pb.h"
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
  auto first = node->Propose("a");
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, 2);
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
  EXPECT_GE(leader->status().snapshot, 20);
  Start(3);
  ASSERT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
  EXPECT_EQ(nodes_[3]->loads(), 1);
  // And keeps it.
  nodes_.erase(3);
  Start(3);
  ASSERT_TRUE(
      Eventually([&] { return nodes_[3]->state() == leader->state(); }));
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

// What a stranger may write into the peer port.
class HostileTest : public QuorumTest {
 protected:
  grpc::Status Talk(const std::vector<raft::v1::Envelope>& envelopes) {
    auto stub = raft::v1::RaftPeer::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(options_.voters[0].port),
        grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kLimit);
    auto stream = stub->Send(&context);
    for (const auto& envelope : envelopes) stream->Write(envelope);
    stream->WritesDone();
    return stream->Finish();
  }
  // With the directory of `from`.
  raft::v1::Envelope Hello(const std::string& cluster, NodeId from, NodeId to) {
    auto meta = io::LoadMetaProperties(DirectoryOf(from));
    const Uuid directory = meta ? meta->directory_id : Uuid();
    raft::v1::Envelope envelope;
    envelope.mutable_hello()->set_cluster_id(cluster);
    envelope.mutable_hello()->set_from(from);
    envelope.mutable_hello()->set_to(to);
    envelope.mutable_hello()->set_directory_id(directory.ToBytes());
    return envelope;
  }
  static raft::v1::Envelope Message(uint32_t type, NodeId from, NodeId to,
                                    uint64_t term) {
    raft::v1::Envelope envelope;
    envelope.mutable_message()->set_type(type);
    envelope.mutable_message()->set_from(from);
    envelope.mutable_message()->set_to(to);
    envelope.mutable_message()->set_term(term);
    return envelope;
  }
};

TEST_F(HostileTest, WrongHelloIsRefused) {
  MakeVoters(3);
  Start(1);
  const auto code = grpc::StatusCode::FAILED_PRECONDITION;
  EXPECT_EQ(Talk({Hello("c2", 2, 1)}).error_code(), code);
  EXPECT_EQ(Talk({Hello("c1", 2, 3)}).error_code(), code);
  EXPECT_EQ(Talk({Hello("c1", 7, 1)}).error_code(), code);
  EXPECT_EQ(Talk({Hello("c1", 1, 1)}).error_code(), code);
  EXPECT_EQ(Talk({Message(7, 2, 1, 1)}).error_code(), code);
  auto nowhere = Hello("c1", 2, 1);
  nowhere.mutable_hello()->clear_directory_id();
  EXPECT_EQ(Talk({nowhere}).error_code(), code);
  EXPECT_EQ(Talk({Hello("c1", 2, 1), Message(7, 3, 1, 1)}).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

// a voter that lost its disk may have voted and acknowledged what it no
// longer knows.
TEST_F(HostileTest, WipedVoterIsRefusedUntilItsDirectoryIsBack) {
  MakeVoters(3);
  StartAll();
  ProposeSomewhere("a");
  ASSERT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\n"; }));
  nodes_.clear();
  fs::rename(DirectoryOf(3), directory_ + "/saved");
  ASSERT_TRUE(io::FormatDirectory(DirectoryOf(3), "c1", 3, io::Use::kMetadata));

  // 1 alone with a blank 3 is no majority, however long it takes.
  Start(1);
  const auto refused = Talk({Hello("c1", 3, 1)});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("wiped disk"));
  Start(3);
  EXPECT_EQ(nodes_[1]->Propose("x").error().code, ErrorCode::kNotController);

  // With 2 it is, and what was committed is there.
  Start(2);
  ProposeSomewhere("b");
  for (NodeId id : {1, 2})
    EXPECT_TRUE(Eventually([&] { return nodes_[id]->state() == "a\nb\n"; }));
  EXPECT_FALSE(nodes_[3]->active());

  nodes_.erase(3);
  fs::remove_all(DirectoryOf(3));
  fs::rename(directory_ + "/saved", DirectoryOf(3));
  Start(3);
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\nb\n"; }));
}

// D-4: whoever says to be 3 from another directory does not lock 3 out.
TEST_F(HostileTest, AStrangerDoesNotTakeTheNumberOfAVoter) {
  MakeVoters(3);
  StartAll();
  ASSERT_TRUE(AllSay("1 2 3"));
  nodes_.erase(3);
  auto hello = Hello("c1", 3, 1);
  hello.mutable_hello()->set_directory_id(Uuid::Random().ToBytes());
  hello.mutable_hello()->set_knows_members(true);
  EXPECT_EQ(Talk({hello}).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  // A number nobody has.
  hello.mutable_hello()->set_from(8);
  EXPECT_EQ(Talk({hello}).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  Start(3);
  ProposeSomewhere("a");
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->state() == "a\n"; }));
}

TEST_F(HostileTest, NonsenseAfterAGoodHelloChangesNothing) {
  MakeVoters(3);
  StartAll();
  TestNode* leader = WaitForActive();
  ASSERT_NE(leader, nullptr);
  ASSERT_TRUE(leader->Propose("a"));
  std::vector<raft::v1::Envelope> envelopes{Hello("c1", 2, 1)};
  for (uint32_t type : {0u, 12u, 255u, 300u, UINT32_MAX})
    envelopes.push_back(Message(type, 2, 1, 1));
  auto gap = Message(5, 2, 1, 1);
  gap.mutable_message()->add_entries()->set_index(UINT64_MAX);
  envelopes.push_back(gap);
  auto contradiction = Message(5, 2, 1, leader->status().term);
  auto* entry = contradiction.mutable_message()->add_entries();
  entry->set_index(1);
  entry->set_term(leader->status().term);
  entry->set_data("other");
  envelopes.push_back(contradiction);
  auto chunk = Message(9, 2, 1, 1);
  chunk.mutable_message()->mutable_snapshot()->set_index(UINT64_MAX);
  chunk.mutable_message()->mutable_snapshot()->set_position(UINT64_MAX);
  envelopes.push_back(chunk);
  auto ack = Message(6, 2, 1, leader->status().term);
  ack.mutable_message()->set_index(1'000'000);
  envelopes.push_back(ack);
  Talk(envelopes);
  ProposeSomewhere("b");
  for (auto& [id, node] : nodes_)
    EXPECT_TRUE(Eventually([&] { return node->state() == "a\nb\n"; }));
}

}  // namespace
}  // namespace tidemark::quorum
