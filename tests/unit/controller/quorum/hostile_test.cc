#include <string>
#include <vector>

#include "proto/raft.grpc.pb.h"
#include "tests/support/certificates.h"
#include "tests/unit/controller/quorum/quorum_fixture.h"

namespace tidemark::quorum {
namespace {

using testing::HasSubstr;

// What a stranger may write into the peer port.
class HostileTest : public QuorumTest {
 protected:
  grpc::Status Talk(const std::vector<raft::v1::Envelope>& envelopes,
                    const rpc::Security* as = nullptr) {
    auto stub = raft::v1::RaftPeer::NewStub(
        rpc::MakeChannel(as, "127.0.0.1", options_.voters[0].port));
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

// The number in a hello is anybody's to write, the certificate is not.
TEST_F(HostileTest, ACertificateIsOfOneController) {
  const test::Identity authority = test::MakeIdentity("authority", nullptr);
  const auto security = [&](const std::string& who) {
    const test::Identity own = test::MakeIdentity(
        "n", &authority, 1, "IP:127.0.0.1,URI:tidemark:" + who);
    tls::Settings settings;
    settings.keystore.type = settings.truststore.type = "PEM";
    settings.keystore.key = own.KeyPem();
    settings.keystore.certificates = own.CertificatePem();
    settings.truststore.certificates = authority.CertificatePem();
    return rpc::Security::Open(settings, {}).value();
  };
  security_of_ = [&](NodeId id) {
    return security("controller/" + std::to_string(id));
  };
  MakeVoters(3);
  StartAll();
  ProposeSomewhere("a");
  for (NodeId id : {1, 2, 3})
    EXPECT_TRUE(Eventually([&] { return nodes_[id]->state() == "a\n"; }));
  for (const char* who : {"controller/3", "broker/2", "admin/2"}) {
    const auto refused = Talk({Hello("c1", 2, 1)}, security(who).get());
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED) << who;
    EXPECT_THAT(refused.error_message(), HasSubstr("controller 2"));
  }
  EXPECT_EQ(Talk({Hello("c1", 2, 1)}).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Talk({Hello("c1", 2, 1)}, security("controller/2").get()).ok());
  // One that comes with another's certificate reaches nobody, and nobody it.
  nodes_.erase(3);
  security_of_ = [&](NodeId) { return security("controller/9"); };
  Start(3);
  ProposeSomewhere("b");
  for (NodeId id : {1, 2})
    EXPECT_TRUE(Eventually([&] { return nodes_[id]->state() == "a\nb\n"; }));
  EXPECT_EQ(nodes_[3]->status().leader, kNoNode);
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

// It would be stored, and end the process when it is applied.
TEST_F(HostileTest, BytesThatAreNoEntryAreNotStored) {
  MakeVoters(3);
  Start(1);
  auto append = Message(5, 2, 1, 7);
  auto* entry = append.mutable_message()->add_entries();
  entry->set_index(1);
  entry->set_term(7);
  entry->set_data("no entry");
  const auto refused = Talk({Hello("c1", 2, 1), append});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("no entry of this machine"));
  EXPECT_EQ(nodes_[1]->status().last, 0);
  entry->set_data("an entry");
  EXPECT_TRUE(Talk({Hello("c1", 2, 1), append}).ok());
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->status().last == 1; }));
}

}  // namespace
}  // namespace tidemark::quorum
