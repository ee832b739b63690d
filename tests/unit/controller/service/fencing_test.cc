// Who is lost is fenced: by one, together, and in parts.
#include "tests/unit/controller/service/controller_fixture.h"

namespace tidemark::controller {
namespace {

using std::chrono::milliseconds;

TEST_F(ControllerTest, SilentBrokerIsFencedAndItsPartitionsMove) {
  quorum_.Elect(1);
  BrokerEpoch one = Join(1);
  BrokerEpoch two = Join(2);
  ASSERT_TRUE((**Create("t", 4, 2))->topics(0).code() == 0);
  for (int i = 0; i < 30; ++i) {
    Beat(2, two);
    executor_.Advance(milliseconds(100));
  }
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
  EXPECT_FALSE(controller_.committed()->FindBroker(2)->fenced);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(P("t", i).leader, 2);
    EXPECT_EQ(P("t", i).isr, std::vector<NodeId>{2});
  }
  EXPECT_EQ(controller_.counters().fenced_lost, 1u);
  EXPECT_FALSE(Beat(1, one).fenced()) << "back, with its feed";
}

// A zone that is gone costs one change of each partition, and one entry.
TEST_F(ControllerTest, BrokersLostTogetherAreFencedTogether) {
  quorum_.Elect(1);
  for (NodeId id = 1; id <= 4; ++id) Join(id);
  ASSERT_TRUE((**Create("t", 4, 3))->topics(0).code() == 0);
  executor_.Advance(milliseconds(100));
  const MetadataOffset before = controller_.committed()->offset();
  std::vector<LeaderEpoch> epochs;
  for (int i = 0; i < 4; ++i) epochs.push_back(P("t", i).leader_epoch);
  const BrokerEpoch four = controller_.committed()->FindBroker(4)->epoch;
  for (NodeId id : {1, 2, 3}) BreakFeed(id);
  executor_.Advance(milliseconds(400));
  EXPECT_EQ(controller_.committed()->offset(), before + 1);
  EXPECT_EQ(controller_.counters().fenced_lost, 3u);
  for (int i = 0; i < 4; ++i) {
    const auto& now = P("t", i);
    const bool there = std::count(now.replicas.begin(), now.replicas.end(), 4);
    EXPECT_EQ(now.leader, there ? 4 : kNoNode);
    EXPECT_LE(now.leader_epoch, epochs[static_cast<size_t>(i)] + 1);
  }
  EXPECT_FALSE(Beat(4, four).fenced());
}

// What is decided between two parts of a fencing does not go to who is fenced,
// and no part is forgotten that was refused.
TEST_F(ControllerTest, AFencingInPartsLeavesNothingBehind) {
  for (bool refuse : {false, true}) {
    const std::string name = refuse ? "second" : "first";
    quorum_.Elect(refuse ? 9 : 1);
    for (NodeId id = 1; id <= 3; ++id) Join(id);
    ASSERT_EQ((**Create(name, 2000, 2))->topics(0).code(), 0);
    BreakFeed(1);
    rpc_v1::HeartbeatRequest accusation;
    accusation.set_broker_id(2);
    accusation.set_broker_epoch(controller_.committed()->FindBroker(2)->epoch);
    accusation.set_metadata_offset(controller_.committed()->offset());
    accusation.add_refusing_brokers(1);
    controller_.Call(accusation, [](Result<rpc_v1::HeartbeatResponse>) {});
    ASSERT_FALSE(controller_.committed()->FindBroker(1)->fenced) << "in parts";
    // With ids in front of where it is, and behind.
    for (int i = 0; i < 200; ++i) {
      const std::string amid = name + "-amid-" + std::to_string(i);
      ASSERT_EQ((**Create(amid, 3, 2))->topics(0).code(), 0);
    }
    quorum_.refuse = refuse;
    executor_.RunOne();
    quorum_.refuse = false;
    executor_.Advance(milliseconds(500));
    ASSERT_TRUE(controller_.committed()->FindBroker(1)->fenced);
    for (const auto& [topic, image] : controller_.committed()->topics()) {
      for (size_t i = 0; i < image->partitions.size(); ++i) {
        const auto& now = *image->partitions[i];
        ASSERT_NE(now.leader, 1) << topic << "-" << i;
        ASSERT_TRUE(now.isr.size() == 1 ||
                    std::count(now.isr.begin(), now.isr.end(), 1) == 0)
            << topic << "-" << i;
      }
    }
    quorum_.Depose(2, true);
  }
}

TEST_F(ControllerTest, BrokenFeedFencesAfterTheGraceOnly) {
  quorum_.Elect(1);
  BrokerEpoch epoch = Join(1);
  executor_.Advance(milliseconds(200));
  BreakFeed(1);
  Beat(1, epoch);
  executor_.Advance(milliseconds(250));
  EXPECT_FALSE(controller_.committed()->FindBroker(1)->fenced);
  executor_.Advance(milliseconds(60));
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
  EXPECT_TRUE(Beat(1, epoch).fenced()) << "not without its feed";
  Subscribe(1, 0);
  EXPECT_FALSE(Beat(1, epoch).fenced());
}

TEST_F(ControllerTest, FeedBackWithinTheGraceKeepsTheBroker) {
  quorum_.Elect(1);
  Join(1);
  BreakFeed(1);
  executor_.Advance(milliseconds(250));
  Subscribe(1, 0);
  executor_.Advance(milliseconds(500));
  EXPECT_FALSE(controller_.committed()->FindBroker(1)->fenced);
}

}  // namespace
}  // namespace tidemark::controller
