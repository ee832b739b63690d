// Directories of replicas: what is lost with a disk leads nobody (B-30, C-09).
#include <gmock/gmock.h>

#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/directory_decisions.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/registration.h"
#include "controller/metadata/topic_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using testing::ElementsAre;

const Settings kSettings{.cluster_id = "c"};
const Uuid kNewDisk = TestId(2000);
const Uuid kSecondDisk = TestId(2001);

rpc_v1::RegisterRequest RegisterWith(NodeId id, std::vector<Uuid> directories,
                                     BrokerEpoch previous = -1) {
  rpc_v1::RegisterRequest request;
  request.set_cluster_id("c");
  request.set_broker_id(id);
  static int incarnation = 500;  // each is another process
  request.set_incarnation_id(TestId(++incarnation).ToBytes());
  auto* endpoint = request.add_endpoints();
  endpoint->set_name("PLAINTEXT");
  endpoint->set_host("h");
  endpoint->set_port(9092);
  for (const Uuid& directory : directories) {
    request.add_directory_ids(directory.ToBytes());
  }
  request.set_previous_broker_epoch(previous);
  return request;
}

class DirectoryTest : public testing::Test {
 protected:
  void Register(NodeId id, std::vector<Uuid> directories,
                BrokerEpoch previous = -1) {
    auto decision = Decide(View{*state, kSettings},
                           RegisterWith(id, std::move(directories), previous));
    ASSERT_EQ(decision.response.error().code(), 0);
    state.Apply(decision.records);
  }
  void Beat(NodeId id, std::vector<Uuid> offline = {}) {
    rpc_v1::HeartbeatRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(state.Epoch(id));
    request.set_metadata_offset(state.Epoch(id));
    for (const Uuid& directory : offline) {
      request.add_offline_directory_ids(directory.ToBytes());
      auto* told = request.add_offline_directories();
      told->set_id(directory.ToBytes());
      told->set_path("/disk");
      told->set_reason("cable");
    }
    state.Apply(Decide(View{*state, kSettings}, request).records);
  }
  void Report(NodeId id, const Uuid& directory, bool missing) {
    rpc_v1::AssignReplicasRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(state.Epoch(id));
    auto* replica = request.add_replicas();
    replica->set_topic_id(TestId(1).ToBytes());
    replica->set_directory_id(directory.ToBytes());
    replica->set_log_was_missing(missing);
    auto decision = *Decide(View{*state, kSettings}, request);
    ASSERT_EQ(decision.response.error().code(), 0);
    state.Apply(decision.records);
  }
  void ElectUncleanly() {
    admin_v1::ElectLeadersRequest request;
    request.set_unclean(true);
    state.Apply(Decide(View{*state, kSettings}, request).records);
  }
  // Brokers 1 to 3 with a disk each, a partition on all of them.
  void ThreeReplicas(std::vector<NodeId> isr, NodeId leader) {
    for (NodeId id : {1, 2, 3}) state.Broker(id);
    state.Topic("t", 1).Partition(
        1, 0, {1, 2, 3}, std::move(isr), leader, 5, 7, false,
        {State::DirectoryOf(1), State::DirectoryOf(2), State::DirectoryOf(3)});
  }

  State state;
};

TEST_F(DirectoryTest, ANewTopicsReplicasAreInTheOnlyDirectory) {
  state.Broker(1);
  Register(2, {kNewDisk, kSecondDisk});
  Beat(2);
  admin_v1::CreateTopicsRequest request;
  auto* topic = request.add_topics();
  topic->set_name("t");
  topic->set_partitions(-1);
  topic->set_replication_factor(-1);
  topic->add_assignment()->add_broker_ids(1);
  topic->mutable_assignment(0)->add_broker_ids(2);
  const Randomness random{[] { return TestId(1); }, nullptr};
  auto decision = Decide(
      View{.image = *state, .settings = kSettings, .random = &random}, request);
  state.Apply(decision.records);
  EXPECT_EQ(state.P("t").DirectoryOf(1), State::DirectoryOf(1));
  EXPECT_TRUE(state.P("t").DirectoryOf(2).IsZero()) << "it has the choice";
}

// The scenario of the issue: the last one in sync comes back with another disk
// under the same id.
TEST_F(DirectoryTest, TheLastInSyncWithAnotherDiskDoesNotLead) {
  ThreeReplicas({3}, 3);
  Register(3, {kNewDisk});
  Beat(3);
  EXPECT_FALSE(state->FindBroker(3)->fenced);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  EXPECT_THAT(state.P("t").isr, ElementsAre(3));
  // Nor after it has made a log there and said so, nor in its next life.
  Report(3, kNewDisk, true);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  EXPECT_EQ(state.P("t").DirectoryOf(3), State::DirectoryOf(3));
  Register(3, {kNewDisk}, state.Epoch(3));
  Beat(3);
  Report(3, kNewDisk, false);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  // Who has something is preferred when the operator gives the order.
  ElectUncleanly();
  EXPECT_EQ(state.P("t").leader, 1);
  EXPECT_TRUE(state.P("t").recovering);
  EXPECT_THAT(state.P("t").isr, ElementsAre(1));
  Report(3, kNewDisk, true);
  EXPECT_EQ(state.P("t").DirectoryOf(3), kNewDisk) << "fetches, and may join";
}

TEST_F(DirectoryTest, ItLeadsAgainWithItsOldDisk) {
  ThreeReplicas({3}, 3);
  Register(3, {kNewDisk});
  Beat(3);
  Report(3, kNewDisk, true);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  Register(3, {State::DirectoryOf(3)});
  Beat(3);
  EXPECT_EQ(state.P("t").leader, 3);
}

TEST_F(DirectoryTest, AnUncleanElectionOfTheOnlyReplicaLetsItStartAnew) {
  state.Broker(1);
  state.Topic("t", 1).Partition(1, 0, {1}, {1}, 1, 5, 7, false,
                                {State::DirectoryOf(1)});
  Register(1, {kNewDisk});
  Beat(1);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  ElectUncleanly();
  EXPECT_EQ(state.P("t").leader, 1);
  Report(1, kNewDisk, false);
  EXPECT_EQ(state.P("t").leader, 1);
  EXPECT_EQ(state.P("t").DirectoryOf(1), kNewDisk);
}

TEST_F(DirectoryTest, WithOthersInSyncTheLostReplicaLeavesAndComesBack) {
  ThreeReplicas({1, 2, 3}, 1);
  // Cleanly stopped, started without the disk.
  state.Apply(DecideFence(View{*state, kSettings}, {3}));
  state.Partition(1, 1, {3, 1}, {3, 1}, 3, 5, 7, false,
                  {State::DirectoryOf(3), State::DirectoryOf(1)});
  Register(3, {kNewDisk}, state.Epoch(3));
  EXPECT_THAT(state.P("t", 1).isr, ElementsAre(1));
  EXPECT_EQ(state.P("t", 1).leader, 1);
  Beat(3);
  // Not before it has said where its new log is.
  rpc_v1::AlterPartitionRequest request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1));
  auto* wanted = request.add_partitions();
  wanted->set_topic_id(TestId(1).ToBytes());
  wanted->set_partition(0);
  for (NodeId id : {1, 2, 3}) {
    wanted->add_isr()->set_broker_id(id);
    wanted->mutable_isr(wanted->isr_size() - 1)->set_broker_epoch(-1);
  }
  auto ask = [&] {
    wanted->set_leader_epoch(state.P("t").leader_epoch);
    wanted->set_partition_epoch(state.P("t").partition_epoch);
    auto decision = Decide(View{*state, kSettings}, request);
    state.Apply(decision.records);
    return static_cast<ErrorCode>(decision.response.partitions(0).code());
  };
  EXPECT_EQ(ask(), ErrorCode::kIneligibleReplica);
  Report(3, kNewDisk, true);
  EXPECT_EQ(ask(), ErrorCode::kNone);
  EXPECT_THAT(state.P("t").isr, ElementsAre(1, 2, 3));
}

TEST_F(DirectoryTest, ALogThatIsMissingInTheSameDirectoryIsLostToo) {
  ThreeReplicas({3, 1}, 3);
  Report(3, State::DirectoryOf(3), true);
  EXPECT_EQ(state.P("t").leader, 1);
  EXPECT_THAT(state.P("t").isr, ElementsAre(1));
  EXPECT_EQ(state.P("t").DirectoryOf(3), State::DirectoryOf(3));
}

// The leader may hold a fetch of it from before, which would bring it back.
TEST_F(DirectoryTest, AFollowerThatLostItsLogLeavesWithANewEpoch) {
  ThreeReplicas({3, 1}, 1);
  const LeaderEpoch before = state.P("t").leader_epoch;
  Report(3, State::DirectoryOf(3), true);
  EXPECT_EQ(state.P("t").leader, 1);
  EXPECT_THAT(state.P("t").isr, ElementsAre(1));
  EXPECT_EQ(state.P("t").leader_epoch, before + 1);
  // Out of sync already: nobody's business.
  Report(3, State::DirectoryOf(3), true);
  EXPECT_EQ(state.P("t").leader_epoch, before + 1);
}

TEST_F(DirectoryTest, TheLastInSyncThatLostItsLogIsRememberedAsSuch) {
  ThreeReplicas({3}, 3);
  Report(3, State::DirectoryOf(3), true);
  EXPECT_EQ(state.P("t").leader, kNoNode);
  EXPECT_EQ(state.P("t").DirectoryOf(3), metadata::kLostDirectory);
  Register(3, {State::DirectoryOf(3)}, state.Epoch(3));
  Beat(3);
  Report(3, State::DirectoryOf(3), false);
  EXPECT_EQ(state.P("t").leader, kNoNode);
}

TEST_F(DirectoryTest, AnOfflineDirectoryMovesItsPartitionsAndNoOthers) {
  state.Broker(1).Broker(2);
  Register(3, {kNewDisk, kSecondDisk});
  Beat(3);
  state.Topic("t", 1);
  for (int i : {0, 1, 2}) {
    const Uuid where = i == 0 ? kNewDisk : i == 1 ? kSecondDisk : Uuid{};
    state.Partition(1, i, {3, 1}, {3, 1}, 3, 5, 7, false,
                    {where, State::DirectoryOf(1)});
  }
  state.Partition(1, 3, {3, 1}, {3}, 3, 5, 7, false,
                  {kNewDisk, State::DirectoryOf(1)});
  Beat(3, {kNewDisk});
  EXPECT_FALSE(state->FindBroker(3)->fenced);
  EXPECT_TRUE(state->FindBroker(3)->IsOffline(kNewDisk));
  EXPECT_EQ(state->FindBroker(3)->offline[0].reason, "cable");
  EXPECT_EQ(state.P("t", 0).leader, 1);
  EXPECT_THAT(state.P("t", 0).isr, ElementsAre(1));
  EXPECT_EQ(state.P("t", 1).leader, 3);
  EXPECT_EQ(state.P("t", 2).leader, 3) << "not told yet where it is";
  EXPECT_EQ(state.P("t", 3).leader, kNoNode) << "nobody else has it";
  EXPECT_THAT(state.P("t", 3).isr, ElementsAre(3));
  // Told late, after the directory has failed.
  rpc_v1::AssignReplicasRequest request;
  request.set_broker_id(3);
  request.set_broker_epoch(state.Epoch(3));
  auto* replica = request.add_replicas();
  replica->set_topic_id(TestId(1).ToBytes());
  replica->set_partition(2);
  replica->set_directory_id(kNewDisk.ToBytes());
  state.Apply(Decide(View{*state, kSettings}, request)->records);
  EXPECT_EQ(state.P("t", 2).leader, 1);
  // The same again changes nothing.
  const MetadataOffset before = state.offset();
  Beat(3, {kNewDisk});
  EXPECT_EQ(state.P("t", 1).leader, 3);
  EXPECT_EQ(state->FindBroker(3)->offline.size(), 1u);
  EXPECT_EQ(state.offset(), before + 1);
}

TEST_F(DirectoryTest, WhatIsKnownOrNotOursIsPassedOver) {
  ThreeReplicas({1, 2, 3}, 1);
  const PartitionEpoch before = state.P("t").partition_epoch;
  Report(3, State::DirectoryOf(3), false);
  Report(3, kNewDisk, false);  // not registered
  EXPECT_EQ(state.P("t").partition_epoch, before);
  rpc_v1::AssignReplicasRequest request;
  request.set_broker_id(3);
  request.set_broker_epoch(state.Epoch(3) - 1);
  EXPECT_EQ(Decide(View{*state, kSettings}, request)->response.error().code(),
            static_cast<int>(ErrorCode::kStaleBrokerEpoch));
}

}  // namespace
}  // namespace tidemark::controller
