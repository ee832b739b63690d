#include <gtest/gtest.h>

#include "controller/metadata/partition_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using Ids = std::vector<NodeId>;

const Settings kDefaults;

// ---- C-11, C-13: one row a rule.

struct ElectionCase {
  const char* name;
  Ids replicas, isr;
  NodeId leader;
  Ids alive;
  Election kind;
  bool unclean;
  // Expected.
  NodeId next_leader;
  Ids next_isr;
  int epochs;  // leader epochs added
  bool recovering;
};

class Elections : public ::testing::TestWithParam<ElectionCase> {};

TEST_P(Elections, Decide) {
  const ElectionCase& c = GetParam();
  State state;
  for (NodeId id : c.replicas) {
    bool alive = std::find(c.alive.begin(), c.alive.end(), id) != c.alive.end();
    state.Broker(id, !alive);
  }
  state.Topic("t", 1).Partition(1, 0, c.replicas, c.isr, c.leader);
  const View view{*state, kDefaults};
  const Eligibility eligible(view);
  PartitionChange change(*state->FindTopic("t"), 0, eligible, kDefaults);
  auto record =
      change.Kind(c.kind).UncleanIf([&] { return c.unclean; }).Build();
  if (record) state.Apply({*record});
  EXPECT_EQ(state.P("t").leader, c.next_leader);
  EXPECT_EQ(state.P("t").isr, c.next_isr);
  EXPECT_EQ(state.P("t").leader_epoch, 5 + c.epochs);
  EXPECT_EQ(state.P("t").recovering, c.recovering);
  EXPECT_EQ(state.P("t").partition_epoch, record ? 8 : 7);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, Elections,
    ::testing::Values(ElectionCase{"KeepsAValidLeader",
                                   {1, 2, 3},
                                   {1, 2, 3},
                                   2,
                                   {1, 2, 3},
                                   Election::kOnline,
                                   false,
                                   2,
                                   {1, 2, 3},
                                   0,
                                   false},
                      ElectionCase{"FirstValidInReplicaOrder",
                                   {1, 2, 3},
                                   {3, 2, 1},
                                   1,
                                   {2, 3},
                                   Election::kOnline,
                                   false,
                                   2,
                                   {3, 2, 1},
                                   1,
                                   false},
                      ElectionCase{"OnlyFromTheIsr",
                                   {1, 2, 3},
                                   {1, 3},
                                   1,
                                   {2, 3},
                                   Election::kOnline,
                                   false,
                                   3,
                                   {1, 3},
                                   1,
                                   false},
                      ElectionCase{"NoneValidMeansNoLeader",
                                   {1, 2, 3},
                                   {1},
                                   1,
                                   {2, 3},
                                   Election::kOnline,
                                   false,
                                   kNoNode,
                                   {1},
                                   1,
                                   false},
                      ElectionCase{"LeaderlessStaysLeaderless",
                                   {1, 2},
                                   {1},
                                   kNoNode,
                                   {2},
                                   Election::kOnline,
                                   false,
                                   kNoNode,
                                   {1},
                                   0,
                                   false},
                      ElectionCase{"LeaderlessGetsItsReturnedMember",
                                   {1, 2},
                                   {1},
                                   kNoNode,
                                   {1},
                                   Election::kOnline,
                                   false,
                                   1,
                                   {1},
                                   1,
                                   false},
                      ElectionCase{"PreferredMovesToTheFirst",
                                   {1, 2, 3},
                                   {1, 2},
                                   2,
                                   {1, 2},
                                   Election::kPreferred,
                                   false,
                                   1,
                                   {1, 2},
                                   1,
                                   false},
                      ElectionCase{"PreferredOutOfSyncKeepsTheLeader",
                                   {1, 2, 3},
                                   {2, 3},
                                   3,
                                   {1, 2, 3},
                                   Election::kPreferred,
                                   false,
                                   3,
                                   {2, 3},
                                   0,
                                   false},
                      ElectionCase{"UncleanTakesTheFirstAlive",
                                   {1, 2, 3},
                                   {1},
                                   1,
                                   {2, 3},
                                   Election::kOnline,
                                   true,
                                   2,
                                   {2},
                                   1,
                                   true},
                      ElectionCase{"UncleanOnlyIfNoneIsValid",
                                   {1, 2, 3},
                                   {1, 3},
                                   1,
                                   {2, 3},
                                   Election::kOnline,
                                   true,
                                   3,
                                   {1, 3},
                                   1,
                                   false},
                      ElectionCase{"UncleanWithNoneAlive",
                                   {1, 2},
                                   {1},
                                   1,
                                   {},
                                   Election::kOnline,
                                   true,
                                   kNoNode,
                                   {1},
                                   1,
                                   false}),
    [](const auto& info) { return info.param.name; });

TEST(PartitionChangeTest, AShrinkAloneKeepsTheLeaderEpoch) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  const View view{*state, kDefaults};
  const Eligibility eligible(view);
  auto record = PartitionChange(*state->FindTopic("t"), 0, eligible, kDefaults)
                    .WithoutIsrMember(2)
                    .Build();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->change_partition().has_leader_epoch());
}

TEST(PartitionChangeTest, TheLastIsrMemberStays) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  const View view{*state, kDefaults};
  const Eligibility eligible = Eligibility::Without(view, {1});
  auto record = PartitionChange(*state->FindTopic("t"), 0, eligible, kDefaults)
                    .WithoutIsrMember(1)
                    .Build();
  ASSERT_TRUE(record);
  state.Apply({*record});
  EXPECT_EQ(state.P("t").isr, Ids{1});
  EXPECT_EQ(state.P("t").leader, kNoNode);
}

// ---- C-17: one row a rule, in order.

struct AlterCase {
  const char* name;
  ErrorCode expected;
  std::function<void(rpc_v1::AlterPartitionRequest*)> edit;
  bool recovering = false;
};

class AlterRules : public ::testing::TestWithParam<AlterCase> {
 protected:
  // Partition t-0: replicas 1 2 3 4 5 6, ISR 1 2 3, leader 1, leader epoch 5,
  // partition epoch 7. Broker 4 is fenced, 5 shuts down, 6 is not registered.
  void Build(bool recovering) {
    state_.Broker(1).Broker(2).Broker(3).Broker(4, true).Broker(5, false, "",
                                                                true);
    state_.Topic("t", 1).Partition(1, 0, {1, 2, 3, 4, 5, 6}, {1, 2, 3}, 1, 5, 7,
                                   recovering);
    request_.set_broker_id(1);
    request_.set_broker_epoch(state_.Epoch(1));
    auto* p = request_.add_partitions();
    p->set_topic_id(TestId(1).ToBytes());
    p->set_leader_epoch(5);
    p->set_partition_epoch(7);
    Isr({1, 2});
  }
  void Isr(Ids ids) { SetIsr(&request_, ids); }

 public:
  static void SetIsr(rpc_v1::AlterPartitionRequest* request, Ids ids) {
    auto* p = request->mutable_partitions(0);
    p->clear_isr();
    for (NodeId id : ids) {
      auto* member = p->add_isr();
      member->set_broker_id(id);
      member->set_broker_epoch(-1);
    }
  }

 protected:
  State state_;
  rpc_v1::AlterPartitionRequest request_;
};

TEST_P(AlterRules, Decide) {
  Build(GetParam().recovering);
  GetParam().edit(&request_);
  auto decision = Decide(View{*state_, kDefaults}, request_);
  if (GetParam().expected == ErrorCode::kStaleBrokerEpoch) {
    EXPECT_EQ(decision.response.error().code(),
              static_cast<int>(GetParam().expected));
  } else {
    ASSERT_EQ(decision.response.partitions_size(), 1);
    EXPECT_EQ(decision.response.partitions(0).code(),
              static_cast<int>(GetParam().expected));
  }
  EXPECT_EQ(decision.records.empty(), GetParam().expected != ErrorCode::kNone);
}

using Req = rpc_v1::AlterPartitionRequest;
// Each row breaks its rule and all later ones it can, so the order shows.
INSTANTIATE_TEST_SUITE_P(
    C17, AlterRules,
    ::testing::Values(
        AlterCase{"Shrink", ErrorCode::kNone, [](Req*) {}},
        AlterCase{"R1WrongBrokerEpoch", ErrorCode::kStaleBrokerEpoch,
                  [](Req* r) { r->set_broker_epoch(999); }},
        AlterCase{"R1UnknownBroker", ErrorCode::kStaleBrokerEpoch,
                  [](Req* r) { r->set_broker_id(77); }},
        AlterCase{"R2UnknownTopic", ErrorCode::kUnknownTopicId,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_topic_id(TestId(9).ToBytes());
                    r->mutable_partitions(0)->set_leader_epoch(99);
                  }},
        AlterCase{"R2GarbageTopic", ErrorCode::kUnknownTopicId,
                  [](Req* r) { r->mutable_partitions(0)->set_topic_id("x"); }},
        AlterCase{"R2UnknownPartition", ErrorCode::kUnknownTopicOrPartition,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_partition(3);
                    r->mutable_partitions(0)->set_leader_epoch(99);
                  }},
        AlterCase{"R2NegativePartition", ErrorCode::kUnknownTopicOrPartition,
                  [](Req* r) { r->mutable_partitions(0)->set_partition(-1); }},
        AlterCase{
            "R3NewerLeaderEpoch", ErrorCode::kNotController,
            [](Req* r) { r->mutable_partitions(0)->set_leader_epoch(6); }},
        AlterCase{"R3NewerPartitionEpoch", ErrorCode::kNotController,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_partition_epoch(8);
                    r->mutable_partitions(0)->set_leader_epoch(4);
                  }},
        AlterCase{"R4OlderLeaderEpoch", ErrorCode::kFencedLeaderEpoch,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_leader_epoch(4);
                    r->mutable_partitions(0)->set_partition_epoch(6);
                  }},
        AlterCase{"R5NotTheLeader", ErrorCode::kInvalidRequest,
                  [](Req* r) {
                    r->set_broker_id(2);
                    r->set_broker_epoch(2);
                    r->mutable_partitions(0)->set_partition_epoch(6);
                  }},
        AlterCase{"R6OlderPartitionEpoch", ErrorCode::kInvalidUpdateVersion,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_partition_epoch(6);
                    AlterRules::SetIsr(r, {9});
                  }},
        AlterCase{"R7OutsideTheReplicas", ErrorCode::kInvalidRequest,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1, 9});
                  }},
        AlterCase{"R7Twice", ErrorCode::kInvalidRequest,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1, 2, 2});
                  }},
        AlterCase{"R7Empty", ErrorCode::kInvalidRequest,
                  [](Req* r) { AlterRules::SetIsr(r, {}); }},
        AlterCase{"LeaderGivesUp", ErrorCode::kNone,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {2, 3});
                  }},
        AlterCase{"R9RecoveringWithMany", ErrorCode::kInvalidRequest,
                  [](Req* r) {
                    r->mutable_partitions(0)->set_recovery(
                        record_v1::RECOVERING);
                  },
                  true},
        AlterCase{"R10BackToRecovering", ErrorCode::kInvalidRequest,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1});
                    r->mutable_partitions(0)->set_recovery(
                        record_v1::RECOVERING);
                  }},
        AlterCase{"R11Fenced", ErrorCode::kIneligibleReplica,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1, 4});
                  }},
        AlterCase{"R11ShuttingDown", ErrorCode::kIneligibleReplica,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1, 5});
                  }},
        AlterCase{"R11Unregistered", ErrorCode::kIneligibleReplica,
                  [](Req* r) {
                    AlterRules::SetIsr(r, {1, 6});
                  }},
        AlterCase{"R11AnotherLifeOfTheBroker", ErrorCode::kIneligibleReplica,
                  [](Req* r) {
                    r->mutable_partitions(0)->mutable_isr(1)->set_broker_epoch(
                        1);
                  }},
        AlterCase{"R11RightEpoch", ErrorCode::kNone,
                  [](Req* r) {
                    r->mutable_partitions(0)->mutable_isr(1)->set_broker_epoch(
                        2);
                  }}),
    [](const auto& info) { return info.param.name; });

TEST(AlterPartition, AnswersTheStateAsCommitted) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  Req request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1));
  auto* p = request.add_partitions();
  p->set_topic_id(TestId(1).ToBytes());
  p->set_leader_epoch(5);
  p->set_partition_epoch(7);
  AlterRules::SetIsr(&request, {1});
  auto decision = Decide(View{*state, kDefaults}, request);
  state.Apply(decision.records);
  const auto& answer = decision.response.partitions(0);
  EXPECT_EQ(answer.partition_epoch(), state.P("t").partition_epoch);
  EXPECT_EQ(answer.leader_epoch(), state.P("t").leader_epoch);
  EXPECT_EQ(answer.isr_size(), 1);
  EXPECT_EQ(answer.leader(), 1);
}

TEST(AlterPartition, ALeaderThatLeavesItselfOutIsFollowedByAnotherMember) {
  State state;
  state.Broker(1).Broker(2).Broker(3).Topic("t", 1).Partition(1, 0, {1, 2, 3},
                                                              {1, 3}, 1);
  Req request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1));
  auto* p = request.add_partitions();
  p->set_topic_id(TestId(1).ToBytes());
  p->set_leader_epoch(5);
  p->set_partition_epoch(7);
  AlterRules::SetIsr(&request, {3});
  auto decision = Decide(View{*state, kDefaults}, request);
  state.Apply(decision.records);
  EXPECT_EQ(state.P("t").leader, 3);
  EXPECT_EQ(state.P("t").leader_epoch, 6);
  EXPECT_EQ(state.P("t").isr, std::vector<NodeId>{3});
}

TEST(AlterPartition, OnePartitionTwiceIsRefusedTheSecondTime) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  Req request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1));
  auto* p = request.add_partitions();
  p->set_topic_id(TestId(1).ToBytes());
  p->set_leader_epoch(5);
  p->set_partition_epoch(7);
  AlterRules::SetIsr(&request, {1});
  *request.add_partitions() = request.partitions(0);
  auto decision = Decide(View{*state, kDefaults}, request);
  EXPECT_EQ(decision.records.size(), 1u);
  EXPECT_EQ(decision.response.partitions(1).code(),
            static_cast<int>(ErrorCode::kInvalidRequest));
}

// D-16
TEST(ElectLeaders, OfManyThatCannotBeHelpedSomeAreNamed) {
  State state;
  state.Broker(1, true).Broker(2).Topic("t", 1);
  Records records;
  for (size_t i = 0; i < kMaxRecordsPerBatch + 10; ++i) {
    auto* partition = records.emplace_back().mutable_add_partition();
    partition->set_topic_id(TestId(1).ToBytes());
    partition->set_partition(static_cast<int>(i));
    for (NodeId id : {1, 2}) {
      partition->add_replicas(id);
      partition->add_isr(id);
    }
    partition->set_leader(2);
    partition->set_recovery(record_v1::RECOVERED);
  }
  state.Apply(records);
  auto decision =
      Decide(View{*state, Settings()}, admin_v1::ElectLeadersRequest());
  EXPECT_EQ(decision.response.partitions_size(),
            static_cast<int>(kMaxRecordsPerBatch));
}

TEST(ElectLeaders, CodesOfEachOutcome) {
  State state;
  state.Broker(1).Broker(2).Broker(3, true);
  state.Topic("t", 1)
      .Partition(1, 0, {1, 2}, {1, 2}, 1)
      .Partition(1, 1, {1, 2}, {1, 2}, 2)
      .Partition(1, 2, {3, 2}, {3, 2}, 2)
      .Partition(1, 3, {3, 2}, {3}, kNoNode)
      .Partition(1, 4, {3}, {3}, kNoNode);
  admin_v1::ElectLeadersRequest request;
  for (int i : {0, 1, 2, 9}) {
    auto* p = request.add_partitions();
    p->set_topic("t");
    p->set_partition(i);
  }
  auto decision = Decide(View{*state, kDefaults}, request);
  auto code = [&](int i) {
    return static_cast<ErrorCode>(decision.response.partitions(i).code());
  };
  EXPECT_EQ(code(0), ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(code(1), ErrorCode::kNone);
  EXPECT_EQ(code(2), ErrorCode::kPreferredLeaderNotAvailable);
  EXPECT_EQ(code(3), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(decision.records.size(), 1u);

  request.Clear();
  request.set_unclean(true);
  decision = Decide(View{*state, kDefaults}, request);  // all
  ASSERT_EQ(decision.response.partitions_size(), 2);
  EXPECT_EQ(code(0), ErrorCode::kNone);
  EXPECT_EQ(code(1), ErrorCode::kEligibleLeadersNotAvailable);
  state.Apply(decision.records);
  EXPECT_EQ(state.P("t", 3).leader, 2);
  EXPECT_TRUE(state.P("t", 3).recovering);
}

TEST(Balance, MovesOnlyToPreferredReplicasInSyncUpToTheLimit) {
  State state;
  state.Broker(1).Broker(2).Broker(3, true);
  state.Topic("t", 1)
      .Partition(1, 0, {1, 2}, {1, 2}, 2)
      .Partition(1, 1, {1, 2}, {2}, 2)
      .Partition(1, 2, {3, 2}, {3, 2}, 2)
      .Partition(1, 3, {1, 2}, {1, 2}, 2);
  EXPECT_EQ(DecidePreferredLeaders(View{*state, kDefaults}, 1).size(), 1u);
  state.Apply(DecidePreferredLeaders(View{*state, kDefaults}, 100));
  EXPECT_EQ(state.P("t", 0).leader, 1);
  EXPECT_EQ(state.P("t", 1).leader, 2);
  EXPECT_EQ(state.P("t", 2).leader, 2);
  EXPECT_EQ(state.P("t", 3).leader, 1);
}

TEST(Unclean, OnlyWhereAllowed) {
  State state;
  state.Broker(1, true).Broker(2);
  state.Topic("a", 1).Partition(1, 0, {1, 2}, {1}, kNoNode);
  state.Topic("b", 2).Partition(2, 0, {1, 2}, {1}, kNoNode);
  state.Config("b", "unclean.leader.election.enable", "true");
  state.Apply(DecideUncleanLeaders(View{*state, Settings()}, 100));
  EXPECT_EQ(state.P("a").leader, kNoNode);
  EXPECT_EQ(state.P("b").leader, 2);
  Settings allow;
  allow.static_configs["unclean.leader.election.enable"] = "true";
  state.Apply(DecideUncleanLeaders(View{*state, allow}, 100));
  EXPECT_EQ(state.P("a").leader, 2);
}

// What is beyond one batch is to be asked for again, not wrong.
TEST(AlterPartition, WhatIsTooMuchForOneRequestIsNotAttempted) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1);
  const int count = static_cast<int>(kMaxRecordsPerBatch) + 1;
  Records partitions;
  rpc_v1::AlterPartitionRequest request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1));
  for (int i = 0; i < count; ++i) {
    auto* add = partitions.emplace_back().mutable_add_partition();
    add->set_topic_id(TestId(1).ToBytes());
    add->set_partition(i);
    for (NodeId id : {1, 2}) add->add_replicas(id);
    add->add_isr(1);
    add->set_leader(1);
    auto* wanted = request.add_partitions();
    wanted->set_topic_id(TestId(1).ToBytes());
    wanted->set_partition(i);
    for (NodeId id : {1, 2}) {
      wanted->add_isr()->set_broker_id(id);
      wanted->mutable_isr(wanted->isr_size() - 1)->set_broker_epoch(-1);
    }
  }
  state.Apply(partitions);
  auto decision = Decide(View{*state, kDefaults}, request);
  EXPECT_EQ(decision.records.size(), kMaxRecordsPerBatch);
  EXPECT_EQ(decision.response.partitions(count - 2).code(), 0);
  EXPECT_EQ(decision.response.partitions(count - 1).code(),
            static_cast<int>(ErrorCode::kOperationNotAttempted));
}

}  // namespace
}  // namespace tidemark::controller
