// KIP-966: eligible leader replicas.
#include <gtest/gtest.h>

#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/directory_decisions.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/registration.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using Ids = std::vector<NodeId>;

// As in every file that scripts and packages write.
const Settings kMinIsr2{.static_configs = {{"min.insync.replicas", "2"}}};

class ElrTest : public ::testing::Test {
 protected:
  ElrTest() {
    state_.Broker(1).Broker(2).Broker(3).Topic("t", 1).Partition(
        1, 0, {1, 2, 3}, {1, 2, 3}, 1);
  }
  void Fence(NodeId id) {
    state_.Apply(DecideFence(View{*state_, kMinIsr2}, {id}));
  }
  // Back, by a process that has not stopped in order.
  void Register(NodeId id, int process) {
    rpc_v1::RegisterRequest request;
    request.set_broker_id(id);
    request.set_incarnation_id(TestId(process).ToBytes());
    request.add_directory_ids(State::DirectoryOf(id).ToBytes());
    request.set_previous_broker_epoch(-1);
    auto* endpoint = request.add_endpoints();
    endpoint->set_name("PLAINTEXT");
    endpoint->set_host("h");
    endpoint->set_port(9092);
    auto decision = Decide(View{*state_, kMinIsr2}, request);
    ASSERT_EQ(decision.response.error().code(), 0);
    state_.Apply(decision.records);
  }
  void Unfence(NodeId id) {
    rpc_v1::HeartbeatRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(state_->FindBroker(id)->epoch);
    request.set_metadata_offset(INT64_MAX);
    state_.Apply(
        Decide(View{*state_, kMinIsr2, {.connected = true}}, request).records);
    ASSERT_FALSE(state_->FindBroker(id)->fenced);
  }
  void LeaderProposes(Ids isr) {
    rpc_v1::AlterPartitionRequest request;
    const auto& now = state_.P("t");
    request.set_broker_id(now.leader);
    request.set_broker_epoch(state_->FindBroker(now.leader)->epoch);
    auto* wanted = request.add_partitions();
    wanted->set_topic_id(TestId(1).ToBytes());
    wanted->set_leader_epoch(now.leader_epoch);
    wanted->set_partition_epoch(now.partition_epoch);
    for (NodeId id : isr) {
      auto* member = wanted->add_isr();
      member->set_broker_id(id);
      member->set_broker_epoch(-1);
    }
    auto decision = Decide(View{*state_, kMinIsr2}, request);
    ASSERT_EQ(decision.response.partitions(0).code(), 0);
    state_.Apply(decision.records);
    const auto& elr =
        decision.response.partitions(0).eligible_leader_replicas();
    EXPECT_EQ(Ids(elr.begin(), elr.end()), state_.P("t").elr);
  }
  void SetTopicConfig(const std::string& key, const std::string& value) {
    record_v1::Record record;
    record.mutable_set_config()->set_type(record_v1::TOPIC);
    record.mutable_set_config()->set_name("t");
    record.mutable_set_config()->set_key(key);
    record.mutable_set_config()->set_value(value);
    state_.Apply({record});
  }
  void Expect(NodeId leader, Ids isr, Ids elr) {
    EXPECT_EQ(state_.P("t").leader, leader);
    EXPECT_EQ(state_.P("t").isr, isr);
    EXPECT_EQ(state_.P("t").elr, elr);
    EXPECT_FALSE(state_.P("t").recovering);
  }

  State state_;
};

TEST_F(ElrTest, WhoLeavesAboveTheMinimumIsNotEligible) {
  Fence(3);
  Expect(1, {1, 2}, {});
  Fence(2);
  Expect(1, {1}, {2});
  // 2 has all that was ever committed, 3 has not.
  Unfence(3);
  Fence(1);
  Expect(kNoNode, {1}, {2});
  Unfence(2);
  Expect(2, {2}, {1});
  EXPECT_EQ(state_.P("t").leader_epoch, 7);
}

TEST_F(ElrTest, OneThatIsThereLeadsAtOnce) {
  LeaderProposes({1, 2});
  LeaderProposes({1});
  Expect(1, {1}, {2});
  Fence(1);
  Expect(2, {2}, {1});
  LeaderProposes({2, 3});
  Expect(2, {2, 3}, {});
}

TEST_F(ElrTest, ALeaderThatGivesUpItsLogIsNotEligible) {
  LeaderProposes({1, 2});
  LeaderProposes({2});
  Expect(2, {2}, {});
}

TEST_F(ElrTest, ALostLogIsNotEligible) {
  state_.Topic("d", 2).Partition(
      2, 0, {1, 2}, {1, 2}, 1, 5, 7, false,
      {State::DirectoryOf(1), State::DirectoryOf(2)});
  Fence(2);
  EXPECT_EQ(state_.P("d").elr, Ids{2});
  rpc_v1::AssignReplicasRequest request;
  request.set_broker_id(2);
  request.set_broker_epoch(state_->FindBroker(2)->epoch);
  auto* replica = request.add_replicas();
  replica->set_topic_id(TestId(2).ToBytes());
  replica->set_directory_id(State::DirectoryOf(2).ToBytes());
  replica->set_log_was_missing(true);
  state_.Apply(Decide(View{*state_, kMinIsr2}, request)->records);
  EXPECT_EQ(state_.P("d").elr, Ids{});
  Unfence(2);
  Fence(1);
  EXPECT_EQ(state_.P("d").leader, kNoNode);
}

TEST_F(ElrTest, AnUncleanStopCostsWhatIsInPageCachesOnly) {
  for (const bool synced : {true, false}) {
    if (!synced) {
      SetTopicConfig("flush.messages", std::to_string(INT64_MAX));
      LeaderProposes({1, 2});
    } else {
      Fence(3);
    }
    Fence(2);
    Expect(1, {1}, {2});
    Register(2, synced ? 52 : 53);
    Expect(1, {1}, synced ? Ids{2} : Ids{});
    Unfence(2);
    if (synced) LeaderProposes({1, 2});
  }
}

TEST_F(ElrTest, ALowerMinimumLetsTheLeaderGoOn) {
  Fence(3);
  Fence(2);
  EXPECT_TRUE(DecideEligibleLeaders(View{*state_, kMinIsr2}, 10).empty());
  SetTopicConfig("min.insync.replicas", "1");
  state_.Apply(DecideEligibleLeaders(View{*state_, kMinIsr2}, 10));
  Expect(1, {1}, {});
}

TEST_F(ElrTest, AnUncleanElectionForgetsWhoWasEligible) {
  SetTopicConfig("unclean.leader.election.enable", "true");
  Fence(3);
  Fence(2);
  Unfence(3);
  Fence(1);
  EXPECT_EQ(state_.P("t").leader, 3);
  EXPECT_EQ(state_.P("t").elr, Ids{});
  EXPECT_TRUE(state_.P("t").recovering);
}

}  // namespace
}  // namespace tidemark::controller
