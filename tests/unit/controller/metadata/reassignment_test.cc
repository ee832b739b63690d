#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metadata/features.h"
#include "common/metadata/snapshot.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/eviction.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/reassignment_decisions.h"
#include "controller/metadata/topic_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<NodeId>;
using Request = admin_v1::AlterPartitionReassignmentsRequest;

Request Move(const std::string& topic, int partition,
             const std::optional<Ids>& target) {
  Request request;
  auto* wanted = request.add_partitions();
  wanted->set_topic(topic);
  wanted->set_partition(partition);
  if (target) {
    wanted->mutable_replicas()->mutable_broker_ids()->Add(target->begin(),
                                                          target->end());
  }
  return request;
}

// Brokers 1 to 6; topic "t" with one partition on 1, 2 and 3.
class ReassignmentTest : public ::testing::Test {
 protected:
  ReassignmentTest() {
    state_.Level(metadata::kMovesLevel);
    for (NodeId id = 1; id <= 6; ++id) state_.Broker(id);
    state_.Topic("t", 1).Partition(1, 0, {1, 2, 3}, {1, 2, 3}, 1);
  }

  View view() const { return {*state_, settings_}; }

  ErrorCode Do(const Request& request, std::string* why = nullptr) {
    auto decision = Decide(view(), request);
    if (!decision) {
      if (why != nullptr) *why = decision.error().message;
      return decision.error().code;
    }
    state_.Apply(decision->records);
    const auto& result = decision->response.partitions(0);
    if (why != nullptr) *why = result.message();
    return static_cast<ErrorCode>(result.code());
  }
  ErrorCode To(const Ids& target, std::string* why = nullptr) {
    return Do(Move("t", 0, target), why);
  }
  ErrorCode Cancel(std::string* why = nullptr) {
    return Do(Move("t", 0, std::nullopt), why);
  }

  // The leader proposes it.
  rpc_v1::AlterPartitionResponse::Partition Isr(const Ids& isr) {
    rpc_v1::AlterPartitionRequest request;
    request.set_broker_id(p().leader);
    request.set_broker_epoch(state_.Epoch(p().leader));
    auto* wanted = request.add_partitions();
    wanted->set_topic_id(TestId(1).ToBytes());
    wanted->set_leader_epoch(p().leader_epoch);
    wanted->set_partition_epoch(p().partition_epoch);
    for (NodeId id : isr) {
      auto* member = wanted->add_isr();
      member->set_broker_id(id);
      member->set_broker_epoch(-1);
    }
    const auto decision = Decide(view(), request);
    state_.Apply(decision.records);
    EXPECT_EQ(decision.response.partitions(0).code(), 0);
    return decision.response.partitions(0);
  }
  void Fence(std::vector<NodeId> ids) {
    state_.Apply(DecideFence(view(), std::move(ids)));
  }
  void Unfence(NodeId id) {
    Records records;
    records.emplace_back().mutable_change_broker()->set_broker_id(id);
    records[0].mutable_change_broker()->set_broker_epoch(state_.Epoch(id));
    records[0].mutable_change_broker()->set_fenced(false);
    ElectLeaderless(view(), id, Eligibility::With(view(), id), &records);
    state_.Apply(records);
  }
  admin_v1::ListPartitionReassignmentsResponse List(
      const std::vector<std::pair<std::string, int>>& of = {}) {
    admin_v1::ListPartitionReassignmentsRequest request;
    for (const auto& [topic, partition] : of) {
      request.add_partitions()->set_topic(topic);
      request.mutable_partitions()->rbegin()->set_partition(partition);
    }
    return Describe(view(), request);
  }
  const PartitionImage& p() const { return state_.P("t"); }
  // The whole of it, as who takes over gets it.
  void ExpectSnapshotKeepsIt() const {
    auto again =
        metadata::FromRecords(metadata::ToRecords(*state_), state_->offset());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(metadata::Equal(*state_, **again));
    EXPECT_EQ(*(*again)->FindPartition("t", 0), p());
    EXPECT_EQ((*again)->topics().moving().size(),
              state_->topics().moving().size());
  }

  State state_;
  Settings settings_;
};

TEST_F(ReassignmentTest, TargetFirstThenThoseThatGo) {
  EXPECT_EQ(To({6, 2, 4}), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(6, 2, 4, 1, 3));
  EXPECT_THAT(p().adding, ElementsAre(4, 6));
  EXPECT_THAT(p().removing, ElementsAre(1, 3));
  EXPECT_THAT(p().Target(), ElementsAre(6, 2, 4));
  EXPECT_THAT(p().Original(), ElementsAre(2, 1, 3));
  EXPECT_THAT(p().isr, ElementsAre(1, 2, 3));
  EXPECT_EQ(p().leader, 1);
  EXPECT_EQ(p().leader_epoch, 5) << "who follows goes on";
  EXPECT_EQ(p().partition_epoch, 8);
  // The only directory of a new replica is known; of the others nobody has
  // said.
  EXPECT_EQ(p().DirectoryOf(6), State::DirectoryOf(6));
  EXPECT_TRUE(p().DirectoryOf(2).IsZero());
  ASSERT_EQ(List().reassignments_size(), 1);
  EXPECT_THAT(List().reassignments(0).replicas(), ElementsAre(6, 2, 4, 1, 3));
  EXPECT_THAT(List().reassignments(0).adding_replicas(), ElementsAre(4, 6));
  EXPECT_THAT(List().reassignments(0).removing_replicas(), ElementsAre(1, 3));
  ExpectSnapshotKeepsIt();
}

TEST_F(ReassignmentTest, MovedWhenTheWholeTargetIsInSync) {
  To({4, 5, 6});
  Isr({1, 2, 3, 4});
  Isr({1, 2, 3, 4, 5});
  EXPECT_TRUE(p().moving()) << "KAFKA-15665";
  const auto answer = Isr({1, 2, 3, 4, 5, 6});
  EXPECT_THAT(p().replicas, ElementsAre(4, 5, 6));
  EXPECT_THAT(p().isr, ElementsAre(4, 5, 6));
  EXPECT_FALSE(p().moving());
  EXPECT_EQ(p().leader, 4) << "the leader was among those that go";
  EXPECT_EQ(p().leader_epoch, 6);
  EXPECT_EQ(answer.leader(), 4) << "C-18";
  EXPECT_EQ(answer.leader_epoch(), 6);
  EXPECT_EQ(List().reassignments_size(), 0);
  EXPECT_TRUE(state_->topics().moving().empty());
  EXPECT_EQ(p().DirectoryOf(5), State::DirectoryOf(5));
  EXPECT_TRUE(state_->topics().Of(1).replicas.empty());
  ExpectSnapshotKeepsIt();
}

TEST_F(ReassignmentTest, WhoIsNoReplicaAnyMoreIsFencedAlsoUnderTheSameLeader) {
  To({1, 2, 4});
  Isr({1, 2, 3, 4});
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 4));
  EXPECT_EQ(p().leader, 1);
  EXPECT_EQ(p().leader_epoch, 6);
}

TEST_F(ReassignmentTest, OneMoreReplicaIsNoReasonForAnEpoch) {
  To({1, 2, 3, 4});
  Isr({1, 2, 3, 4});
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3, 4));
  EXPECT_FALSE(p().moving());
  EXPECT_EQ(p().leader_epoch, 5);
}

TEST_F(ReassignmentTest, FewerReplicasAndAnotherOrderAreThereAtOnce) {
  To({3, 1});
  EXPECT_THAT(p().replicas, ElementsAre(3, 1));
  EXPECT_THAT(p().isr, ElementsAre(1, 3));
  EXPECT_FALSE(p().moving());
  EXPECT_EQ(p().leader, 1);
  To({1, 3});
  EXPECT_THAT(p().replicas, ElementsAre(1, 3));
  EXPECT_FALSE(p().moving());
  const PartitionEpoch before = p().partition_epoch;
  EXPECT_EQ(To({1, 3}), ErrorCode::kNone);
  EXPECT_EQ(p().partition_epoch, before) << "it is so already";
}

TEST_F(ReassignmentTest, FewerReplicasWaitForThoseThatStay) {
  Isr({1, 2});
  To({3, 2});
  EXPECT_THAT(p().replicas, ElementsAre(3, 2, 1));
  EXPECT_THAT(p().removing, ElementsAre(1));
  EXPECT_THAT(p().adding, IsEmpty());
  Isr({1, 2, 3});
  EXPECT_THAT(p().replicas, ElementsAre(3, 2));
  EXPECT_EQ(p().leader, 3);
}

TEST_F(ReassignmentTest, RefusedAsKafkaRefuses) {
  std::string why;
  EXPECT_EQ(To({}, &why), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_THAT(why, HasSubstr("an empty replica list"));
  EXPECT_EQ(To({1, 2, 7}, &why), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_THAT(why, HasSubstr("broker 7, but no such broker is registered"));
  EXPECT_EQ(To({1, -2}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(To({4, 5, 4}, &why), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_THAT(why, HasSubstr("broker 4 more than once"));
  EXPECT_EQ(Cancel(), ErrorCode::kNoReassignmentInProgress);
  EXPECT_EQ(Do(Move("u", 0, Ids{4})), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Do(Move("t", 1, Ids{4})), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Do(Move("t", -1, Ids{4})), ErrorCode::kUnknownTopicOrPartition);
  Request twice = Move("t", 0, Ids{4});
  *twice.add_partitions() = twice.partitions(0);
  auto decision = Decide(view(), twice);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->records.size(), 1u);
  EXPECT_EQ(decision->response.partitions(1).code(),
            static_cast<int>(ErrorCode::kInvalidRequest));
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3));
}

TEST_F(ReassignmentTest, KeepsTheReplicationFactorWhenAsked) {
  const auto keeping = [](Ids target) {
    Request request = Move("t", 0, target);
    request.set_keep_replication_factor(true);
    return request;
  };
  std::string why;
  EXPECT_EQ(Do(keeping({4, 5}), &why), ErrorCode::kInvalidReplicationFactor);
  EXPECT_THAT(why, HasSubstr("from 3 to 2"));
  EXPECT_EQ(Do(keeping({4, 5, 6})), ErrorCode::kNone);
  // Of six replicas three stay.
  EXPECT_EQ(Do(keeping({1, 2, 3, 4, 5, 6})),
            ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Do(keeping({1, 5, 6})), ErrorCode::kNone);
}

TEST_F(ReassignmentTest, NotBelowItsLevel) {
  state_.Level(metadata::kFeaturesLevel);
  std::string why;
  EXPECT_EQ(To({4, 5, 6}, &why), ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(why, HasSubstr("needs metadata.version 3"));
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3));
}

TEST_F(ReassignmentTest, WhatMovesKeepsTheLevelUp) {
  EXPECT_EQ(KindAbove(*state_, metadata::kFeaturesLevel), "");
  To({4, 5, 6});
  EXPECT_EQ(KindAbove(*state_, metadata::kFeaturesLevel),
            "partitions that move");
  Cancel();
  EXPECT_EQ(KindAbove(*state_, metadata::kFeaturesLevel), "");
  // Once moved, nothing of it is left in a snapshot either.
  To({1, 2, 4});
  Isr({1, 2, 3, 4});
  const record_v1::RecordBatch left = metadata::ToRecords(*state_);
  for (const auto& record : left.records()) {
    if (record.has_set_feature()) continue;
    EXPECT_EQ(metadata::RequiredLevel(record), metadata::kBaseLevel);
  }
}

TEST_F(ReassignmentTest, CancelGoesBackToTheReplicasBefore) {
  To({4, 2, 6});
  Isr({1, 2, 3, 4});
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(2, 1, 3));
  EXPECT_THAT(p().isr, ElementsAre(1, 2, 3));
  EXPECT_FALSE(p().moving());
  EXPECT_EQ(p().leader, 1);
  EXPECT_EQ(p().leader_epoch, 6);
  EXPECT_EQ(Cancel(), ErrorCode::kNoReassignmentInProgress);
}

TEST_F(ReassignmentTest, CancelMovesALeaderThatWasToCome) {
  To({4, 5, 6});
  Isr({1, 2, 4});
  Fence({1});
  Fence({2});
  ASSERT_EQ(p().leader, 4);
  Unfence(3);
  Isr({4, 3});
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3));
  EXPECT_THAT(p().isr, ElementsAre(3));
  EXPECT_EQ(p().leader, 3);
}

TEST_F(ReassignmentTest, CancelThatWouldLoseRecordsIsRefused) {
  To({4, 5, 6});
  Isr({1, 4});
  Fence({1});
  ASSERT_THAT(p().isr, ElementsAre(4));
  std::string why;
  EXPECT_EQ(Cancel(&why), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_THAT(why, HasSubstr("Unable to revert partition assignment for t:0 "
                             "because it would require an unclean leader"));
  EXPECT_TRUE(p().moving());
  // Who allows that gets it.
  state_.Config("t", "unclean.leader.election.enable", "true");
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3));
  EXPECT_THAT(p().isr, ElementsAre(2));
  EXPECT_TRUE(p().recovering);
}

TEST_F(ReassignmentTest, CancelWithoutLossWhereAnEligibleReplicaIsLeft) {
  state_.Config("t", "min.insync.replicas", "2");
  To({4, 5, 6});
  Isr({1, 2, 4});
  Fence({1, 2});
  ASSERT_THAT(p().isr, ElementsAre(4));
  ASSERT_THAT(p().elr, ElementsAre(1, 2));
  EXPECT_EQ(Cancel(), ErrorCode::kInvalidReplicaAssignment);
  Unfence(2);
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(p().isr, ElementsAre(2));
  EXPECT_EQ(p().leader, 2);
  EXPECT_FALSE(p().recovering) << "nothing was committed without it";
}

TEST_F(ReassignmentTest, AnotherTargetTakesThePlaceOfTheFirst) {
  To({4, 5, 6});
  Isr({1, 2, 3, 4});
  EXPECT_EQ(To({1, 5, 2}), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(1, 5, 2, 3));
  EXPECT_THAT(p().adding, ElementsAre(5));
  EXPECT_THAT(p().removing, ElementsAre(3));
  EXPECT_THAT(p().isr, ElementsAre(1, 2, 3)) << "4 is gone at once";
  // And cancelled it is as it was before both.
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(std::set<NodeId>(p().replicas.begin(), p().replicas.end()),
              ElementsAre(1, 2, 3));
  EXPECT_FALSE(p().moving());
}

TEST_F(ReassignmentTest, AnotherTargetDoesNotDropTheLastInSync) {
  To({4, 5, 6});
  Isr({1, 4});
  Fence({1});
  ASSERT_EQ(p().leader, 4);
  EXPECT_EQ(To({5, 6}), ErrorCode::kNone);
  EXPECT_EQ(p().leader, 4);
  EXPECT_THAT(p().isr, ElementsAre(4));
  EXPECT_THAT(p().adding, ElementsAre(4, 5, 6));
  EXPECT_THAT(p().removing, ElementsAre(1, 2, 3, 4));
  ExpectSnapshotKeepsIt();
  Isr({4, 5, 6});
  EXPECT_THAT(p().replicas, ElementsAre(5, 6));
  EXPECT_EQ(p().leader, 5);
}

TEST_F(ReassignmentTest, CancelAfterAnotherTargetLeavesNobodyOfTheFirst) {
  To({4, 5, 6});
  Isr({1, 4});
  Fence({1});
  ASSERT_THAT(p().isr, ElementsAre(4));
  EXPECT_EQ(To({5}), ErrorCode::kNone);
  EXPECT_THAT(p().isr, ElementsAre(4));
  EXPECT_EQ(Cancel(), ErrorCode::kInvalidReplicaAssignment) << "only 4 has all";
  // Nor does a third one.
  EXPECT_EQ(To({6, 2}), ErrorCode::kNone);
  EXPECT_THAT(p().adding, ElementsAre(4, 5, 6));
  EXPECT_THAT(p().removing, ElementsAre(1, 3, 4, 5));
  Unfence(1);
  Isr({4, 1});
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(std::set<NodeId>(p().replicas.begin(), p().replicas.end()),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(p().isr, ElementsAre(1));
  EXPECT_EQ(p().leader, 1);
  EXPECT_FALSE(p().moving());
}

TEST_F(ReassignmentTest, ADeadReplicaToComeIsWaitedFor) {
  Fence({6});
  EXPECT_EQ(To({4, 5, 6}), ErrorCode::kNone) << "as in Kafka";
  Isr({1, 2, 3, 4, 5});
  Fence({4});
  EXPECT_THAT(p().isr, ElementsAre(1, 2, 3, 5));
  EXPECT_TRUE(p().moving());
  Unfence(4);
  Unfence(6);
  Isr({1, 2, 3, 5, 4, 6});
  EXPECT_THAT(p().replicas, ElementsAre(4, 5, 6));
}

TEST_F(ReassignmentTest, DeathsOfThoseThatGoDoNotHoldItUp) {
  To({4, 5, 6});
  Isr({1, 4, 5});
  Fence({1, 2, 3});
  EXPECT_EQ(p().leader, 4);
  EXPECT_TRUE(p().moving());
  Isr({4, 5, 6});
  EXPECT_THAT(p().replicas, ElementsAre(4, 5, 6));
  EXPECT_EQ(p().leader, 4);
}

// The last of the ISR stays in it when it dies; what it has others have not.
TEST_F(ReassignmentTest, NotMovedToOneThatIsDead) {
  To({4});
  state_.Config("t", "min.insync.replicas", "2");
  Isr({1, 2});
  Fence({2});
  Isr({1});
  ASSERT_TRUE(p().moving());
  // In one go: who is in sync last is dead.
  Records records;
  EvictEverywhere(view(), {1, 4}, false, &records);
  state_.Apply(records);
  EXPECT_THAT(p().isr, ElementsAre(1));
  EXPECT_TRUE(p().moving());
  EXPECT_EQ(p().leader, kNoNode);
}

// It may have copied next to nothing.
TEST_F(ReassignmentTest, UncleanlyANewcomerLeadsLast) {
  state_.Config("t", "unclean.leader.election.enable", "true");
  To({4});
  Isr({1});
  Fence({1});
  EXPECT_EQ(p().leader, 2);
  EXPECT_TRUE(p().moving());
}

TEST_F(ReassignmentTest, NotMovedBeforeTheLeaderHasRecovered) {
  state_.Config("t", "unclean.leader.election.enable", "true");
  To({4});
  Isr({1});
  Fence({1, 2, 3});
  ASSERT_EQ(p().leader, 4);
  EXPECT_TRUE(p().recovering);
  EXPECT_TRUE(p().moving()) << "the others may have what this one has not";
  Isr({4});  // and it says that it has recovered
  EXPECT_THAT(p().replicas, ElementsAre(4));
  EXPECT_FALSE(p().recovering);
}

TEST_F(ReassignmentTest, AnUnregisteredTargetIsWaitedForAndCanBeGivenUp) {
  To({4, 5, 6});
  Isr({1, 2, 3, 6});
  admin_v1::UnregisterBrokerRequest request;
  request.set_broker_id(6);
  auto decision = Decide(view(), request);
  ASSERT_TRUE(decision);
  state_.Apply(decision->records);
  EXPECT_THAT(p().isr, ElementsAre(1, 2, 3));
  EXPECT_TRUE(p().moving());
  ExpectSnapshotKeepsIt();
  std::string why;
  EXPECT_EQ(To({4, 6}, &why), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(Cancel(), ErrorCode::kNone);
  EXPECT_THAT(p().replicas, ElementsAre(1, 2, 3));
}

TEST_F(ReassignmentTest, ATopicThatMovesCanBeDeleted) {
  To({4, 5, 6});
  admin_v1::DeleteTopicsRequest request;
  request.add_names("t");
  state_.Apply(Decide(view(), request).records);
  EXPECT_TRUE(state_->topics().moving().empty());
  EXPECT_TRUE(state_->topics().Of(4).replicas.empty());
  EXPECT_EQ(List().reassignments_size(), 0);
  EXPECT_EQ(KindAbove(*state_, metadata::kFeaturesLevel), "");
  EXPECT_EQ(To({1}), ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(ReassignmentTest, NewPartitionsHaveAsManyReplicasAsThereWillBe) {
  To({4, 5, 6});
  admin_v1::CreatePartitionsRequest request;
  request.add_topics()->set_name("t");
  request.mutable_topics(0)->set_count(2);
  const Randomness random{[] { return TestId(9); },
                          [](size_t) { return size_t{0}; }};
  View with_chance = view();
  with_chance.random = &random;
  state_.Apply(Decide(with_chance, request).records);
  EXPECT_EQ(state_.P("t", 1).replicas.size(), 3u);
}

TEST_F(ReassignmentTest, ListsThoseAskedFor) {
  state_.Partition(1, 1, {1, 2}, {1, 2}, 1);
  state_.Partition(1, 2, {1, 2}, {1, 2}, 1);
  Do(Move("t", 1, Ids{4, 5}));
  Do(Move("t", 0, Ids{4, 5}));
  EXPECT_EQ(List().reassignments_size(), 2);
  const auto some = List({{"t", 2}, {"t", 1}, {"u", 0}, {"t", 9}, {"t", 1}});
  ASSERT_EQ(some.reassignments_size(), 1);
  EXPECT_EQ(some.reassignments(0).partition(), 1);
  admin_v1::ListPartitionReassignmentsRequest many;
  for (int i = 0; i < 10'001; ++i) many.add_partitions()->set_topic("t");
  EXPECT_EQ(CheckSize(many).error().code, ErrorCode::kPolicyViolation);
  Request huge;
  for (int i = 0; i < 10'001; ++i) {
    huge.add_partitions()->set_topic("t");
  }
  EXPECT_EQ(Decide(view(), huge).error().code, ErrorCode::kPolicyViolation);
}

TEST_F(ReassignmentTest, TellsOfBeginAndEnd) {
  auto decision = Decide(view(), Move("t", 0, Ids{1, 2, 4}));
  Effects effects;
  NoteMoves(*state_, decision->records, &effects);
  ASSERT_EQ(effects.notes.size(), 1u);
  EXPECT_THAT(effects.notes[0].text, HasSubstr("begin to move=1"));
  EXPECT_THAT(effects.notes[0].text, HasSubstr("first=t-0"));
  Records other;
  other.emplace_back().mutable_no_op();
  NoteMoves(*state_, other, &effects);
  EXPECT_EQ(effects.notes.size(), 1u);
}

}  // namespace
}  // namespace tidemark::controller
