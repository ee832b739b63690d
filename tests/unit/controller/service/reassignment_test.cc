#include <gmock/gmock.h>

#include "common/metadata/features.h"
#include "tests/unit/controller/service/controller_fixture.h"

namespace tidemark::controller {
namespace {

using ::testing::ElementsAre;
using Alter = admin_v1::AlterPartitionReassignmentsRequest;
using Altered = admin_v1::AlterPartitionReassignmentsResponse;
using Listed = admin_v1::ListPartitionReassignmentsResponse;

class ReassignmentCallTest : public ControllerTest {
 protected:
  ReassignmentCallTest() {
    record_v1::RecordBatch batch;
    auto* level = batch.add_records()->mutable_set_feature();
    level->set_name(metadata::kMetadataVersion);
    level->set_level(metadata::kMovesLevel);
    quorum_.Elect(1);
    for (NodeId id = 1; id <= 4; ++id) epochs_[id] = Join(id);
    // By another controller, which knows that all brokers support it.
    quorum_.Depose(2, false);
    for (const auto& [id, epoch] : epochs_) BreakFeed(id);
    quorum_.ApplyEntry(controller_.committed()->offset() + 1,
                       batch.SerializeAsString());
    quorum_.Elect(3);
    for (const auto& [id, epoch] : epochs_) {
      Subscribe(id, 0);
      Beat(id, epoch);
    }
    Create("t", 1, 2);
  }

  static Alter To(std::vector<NodeId> target, int request_id = 0) {
    Alter request;
    request.add_partitions()->set_topic("t");
    request.mutable_partitions(0)
        ->mutable_replicas()
        ->mutable_broker_ids()
        ->Add(target.begin(), target.end());
    if (request_id > 0) {
      request.set_request_id(TestUuid(request_id).ToBytes());
    }
    return request;
  }
  static Result<Altered> Ask(Controller& controller, const Alter& request) {
    Result<Altered> out = Fail(ErrorCode::kUnknownServerError);
    controller.Call(request, [&](Result<Altered> r) { out = std::move(r); });
    return out;
  }
  static Listed List(Controller& controller) {
    Listed out;
    controller.Call(admin_v1::ListPartitionReassignmentsRequest(),
                    [&](Result<Listed> r) {
                      ASSERT_TRUE(r);
                      out = *r;
                    });
    return out;
  }
  // What the leader says of its ISR.
  static void Propose(Controller& controller, std::vector<NodeId> isr) {
    const auto& now = *controller.committed()->FindPartition("t", 0);
    rpc_v1::AlterPartitionRequest request;
    request.set_broker_id(now.leader);
    request.set_broker_epoch(
        controller.committed()->FindBroker(now.leader)->epoch);
    auto* wanted = request.add_partitions();
    wanted->set_topic_id(controller.committed()->FindTopic("t")->id.ToBytes());
    wanted->set_leader_epoch(now.leader_epoch);
    wanted->set_partition_epoch(now.partition_epoch);
    for (NodeId id : isr) {
      wanted->add_isr()->set_broker_id(id);
      wanted->mutable_isr()->rbegin()->set_broker_epoch(-1);
    }
    controller.Call(request, [](Result<rpc_v1::AlterPartitionResponse> r) {
      ASSERT_TRUE(r);
      EXPECT_EQ(r->partitions(0).code(), 0);
    });
  }
  // The brokers that `of` does not have.
  static std::vector<NodeId> Others(const std::vector<NodeId>& of) {
    std::vector<NodeId> out;
    for (NodeId id = 1; id <= 4; ++id) {
      if (std::find(of.begin(), of.end(), id) == of.end()) out.push_back(id);
    }
    return out;
  }

  std::map<NodeId, BrokerEpoch> epochs_;
};

TEST_F(ReassignmentCallTest, AControllerThatTakesOverGoesOnWithIt) {
  const std::vector<NodeId> before = P("t").replicas;
  const std::vector<NodeId> target = Others(before);
  ASSERT_TRUE(Ask(controller_, To(target)));
  ASSERT_EQ(List(controller_).reassignments_size(), 1);
  // Another one, which has only the log.
  Controller other(TestOptions(2), &executor_, TestRandomness());
  FakeQuorum quorum(2, &other);
  other.Attach(&quorum);
  for (const auto& entry : quorum_.log) {
    quorum.ApplyEntry(entry.offset, entry.data);
  }
  quorum_.Depose(2, false);
  quorum.Elect(7);
  const Listed listed = List(other);
  ASSERT_EQ(listed.reassignments_size(), 1);
  EXPECT_THAT(listed.reassignments(0).adding_replicas(),
              ElementsAre(target[0], target[1]));
  std::vector<NodeId> isr = before;
  isr.insert(isr.end(), target.begin(), target.end());
  Propose(other, isr);
  const auto& now = *other.committed()->FindPartition("t", 0);
  EXPECT_EQ(now.replicas, target);
  EXPECT_EQ(now.leader, target[0]);
  EXPECT_EQ(List(other).reassignments_size(), 0);
  EXPECT_EQ(Ask(controller_, To(before)).error().code,
            ErrorCode::kNotController);
}

// F27: what is not committed is not told.
TEST_F(ReassignmentCallTest, NothingMovesBeforeItIsCommitted) {
  quorum_.hold = true;
  std::optional<Result<Altered>> reply;
  controller_.Call(To(Others(P("t").replicas)),
                   [&](Result<Altered> r) { reply = std::move(r); });
  EXPECT_FALSE(reply);
  EXPECT_EQ(List(controller_).reassignments_size(), 0);
  EXPECT_FALSE(P("t").moving());
  quorum_.CommitAll();
  ASSERT_TRUE(reply);
  EXPECT_EQ((*reply)->partitions(0).code(), 0);
  EXPECT_EQ(List(controller_).reassignments_size(), 1);
}

// C-26
TEST_F(ReassignmentCallTest, TheSameRequestAgainIsAnsweredAlike) {
  const auto target = Others(P("t").replicas);
  ASSERT_TRUE(Ask(controller_, To(target, 9)));
  Alter cancel;
  cancel.add_partitions()->set_topic("t");
  ASSERT_TRUE(Ask(controller_, cancel));
  ASSERT_FALSE(P("t").moving());
  const auto again = Ask(controller_, To(target, 9));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->partitions(0).code(), 0);
  EXPECT_FALSE(P("t").moving()) << "it was done before the cancel";
  const auto refused = Ask(controller_, cancel);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->partitions(0).code(),
            static_cast<int>(ErrorCode::kNoReassignmentInProgress));
}

TEST_F(ReassignmentCallTest,
       ABrokerThatIsLostInTheMiddleIsNotWaitedForInTheIsr) {
  const std::vector<NodeId> before = P("t").replicas;
  const std::vector<NodeId> target = Others(before);
  Ask(controller_, To(target));
  Propose(controller_, {before[0], before[1], target[0]});
  BreakFeed(target[0]);
  executor_.Advance(std::chrono::milliseconds(400));
  EXPECT_THAT(P("t").isr, ElementsAre(before[0], before[1]));
  EXPECT_TRUE(P("t").moving());
}

}  // namespace
}  // namespace tidemark::controller
