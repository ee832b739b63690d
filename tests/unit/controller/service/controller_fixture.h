#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/controller/service/fakes.h"

namespace tidemark::controller {

struct TestSink : FeedSink {
  void Send(FeedBytes message) override {
    auto read = std::make_shared<rpc_v1::FeedMessage>();
    ASSERT_TRUE(read->ParseFromString(*message));
    messages.push_back(std::move(read));
    bytes.push_back(std::move(message));
  }
  void Close(const Error& error) override { closed = error; }
  std::vector<std::shared_ptr<const rpc_v1::FeedMessage>> messages;
  std::vector<FeedBytes> bytes;  // the same, as they came
  std::optional<Error> closed;
};

class ControllerTest : public ::testing::Test {
 protected:
  ControllerTest()
      : controller_(TestOptions(), &executor_, TestRandomness()),
        quorum_(1, &controller_) {
    controller_.Attach(&quorum_);
    quorum_.voters[2] = {2, "host2", 9093};
  }

  BrokerEpoch Register(NodeId id, int incarnation) {
    BrokerEpoch epoch = -1;
    controller_.Call(RegisterOf(id, incarnation),
                     [&](Result<rpc_v1::RegisterResponse> r) {
                       ASSERT_TRUE(r);
                       EXPECT_EQ(r->error().code(), 0);
                       epoch = r->broker_epoch();
                     });
    return epoch;
  }
  rpc_v1::HeartbeatResponse Beat(NodeId id, BrokerEpoch epoch,
                                 bool want_shut_down = false) {
    rpc_v1::HeartbeatRequest r;
    r.set_broker_id(id);
    r.set_broker_epoch(epoch);
    r.set_metadata_offset(controller_.committed()->offset());
    r.set_want_shut_down(want_shut_down);
    rpc_v1::HeartbeatResponse out;
    controller_.Call(r, [&](Result<rpc_v1::HeartbeatResponse> response) {
      if (response) out = *response;
    });
    return out;
  }
  BrokerEpoch Join(NodeId id) {
    BrokerEpoch epoch = Register(id, static_cast<int>(id));
    Subscribe(id, 0);
    EXPECT_FALSE(Beat(id, epoch).fenced());
    return epoch;
  }
  using TopicReply = std::optional<Result<admin_v1::CreateTopicsResponse>>;
  std::shared_ptr<TopicReply> Create(const std::string& name, int partitions,
                                     int replicas) {
    admin_v1::CreateTopicsRequest r;
    auto* t = r.add_topics();
    t->set_name(name);
    t->set_partitions(partitions);
    t->set_replication_factor(replicas);
    auto reply = std::make_shared<TopicReply>();
    controller_.Call(r,
                     [reply](Result<admin_v1::CreateTopicsResponse> response) {
                       *reply = std::move(response);
                     });
    return reply;
  }
  const metadata::PartitionImage& P(const std::string& topic, int i = 0) {
    return *controller_.committed()->FindPartition(topic, i);
  }
  // `incarnation`: 0 is the one that Join registers.
  static rpc_v1::SubscribeRequest FeedOf(NodeId id, MetadataOffset next,
                                         int incarnation = 0) {
    rpc_v1::SubscribeRequest r;
    r.set_broker_id(id);
    r.set_cluster_id("c");
    r.set_next_offset(next);
    r.set_incarnation_id(
        TestUuid(incarnation != 0 ? incarnation : static_cast<int>(id))
            .ToBytes());
    return r;
  }
  std::shared_ptr<TestSink> Subscribe(NodeId id, MetadataOffset next,
                                      int incarnation = 0) {
    auto sink = std::make_shared<TestSink>();
    EXPECT_TRUE(controller_.Subscribe(FeedOf(id, next, incarnation), sink));
    if (incarnation == 0) feeds_[id] = sink;
    return sink;
  }
  // The newest one of the broker.
  void BreakFeed(NodeId id) {
    controller_.FeedEnded(FeedOf(id, 0), feeds_.at(id).get());
  }

  ManualExecutor executor_;
  Controller controller_;
  FakeQuorum quorum_;
  std::map<NodeId, std::shared_ptr<TestSink>> feeds_;
};

}  // namespace tidemark::controller
