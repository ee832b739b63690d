// The services over real gRPC, with quorums in memory.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/io/event_loop.h"
#include "common/rpc/channel.h"
#include "common/rpc/status_map.h"
#include "controller/service/admin_service.h"
#include "controller/service/backup_service.h"
#include "controller/service/broker_service.h"
#include "controller/service/grpc_server.h"
#include "proto/admin.grpc.pb.h"
#include "proto/backup.grpc.pb.h"
#include "proto/controller.grpc.pb.h"
#include "tests/unit/controller/service/fakes.h"

namespace tidemark::controller {
namespace {

// On some free port below the ephemeral ones.
std::unique_ptr<GrpcServer> StartAnywhere(
    const std::vector<grpc::Service*>& services) {
  static uint16_t next = static_cast<uint16_t>(20000 + getpid() % 10000);
  for (int i = 0; i < 100; ++i) {
    auto server = GrpcServer::Start("127.0.0.1", next++, services);
    if (server) return std::move(*server);
  }
  ADD_FAILURE() << "no free port";
  std::abort();
}

struct Node {
  explicit Node(NodeId id)
      : loop("ctl" + std::to_string(id)),
        background("back" + std::to_string(id)),
        controller(TestOptions(id), &loop, TestRandomness(), &background),
        quorum(id, &controller) {
    controller.Attach(&quorum);
    brokers = MakeBrokerService(&controller, &loop);
    admin = MakeAdminService(&controller, &loop);
    backups = MakeBackupService(&controller, "c", &loop, nullptr,
                                std::chrono::milliseconds(500));
    server = StartAnywhere({brokers.get(), admin.get(), backups.get()});
    channel = rpc::MakeChannel(nullptr, "127.0.0.1", server->port());
  }
  ~Node() {
    OnLoop([this] { controller.Stop(); });
    server.reset();
    loop.Stop();
  }
  void OnLoop(std::function<void()> task) {
    std::promise<void> done;
    loop.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  io::EventLoop loop, background;
  Controller controller;
  FakeQuorum quorum;
  std::unique_ptr<grpc::Service> brokers, admin, backups;
  std::unique_ptr<GrpcServer> server;
  std::shared_ptr<grpc::Channel> channel;
};

void SetDeadline(grpc::ClientContext* context, int ms) {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::milliseconds(ms));
}

// There is one turn, and it ends.
TEST(Grpc, WhoReadsNoneOfItsBackupKeepsNobodyElseFromTheirs) {
  Node node(1);
  node.OnLoop([&] {
    node.quorum.Elect(1);
    // More than any window lets out.
    record_v1::RecordBatch batch;
    for (int i = 0; i < 30; ++i) {
      auto* config = batch.add_records()->mutable_set_config();
      config->set_type(record_v1::BROKER);
      config->set_key("k" + std::to_string(i));
      config->set_value(std::string(700'000, 'v'));
    }
    node.quorum.ApplyEntry(2, batch.SerializeAsString());
  });
  auto stub = tidemark::backup::v1::Backup::NewStub(node.channel);
  auto all = [&] {
    grpc::ClientContext context;
    SetDeadline(&context, 20'000);
    auto reader = stub->Save(&context, {});
    tidemark::backup::v1::SavePart part;
    while (reader->Read(&part)) {
    }
    return reader->Finish();
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(all().ok()) << "one after the other";
  }
  grpc::ClientContext context;
  SetDeadline(&context, 30'000);
  // On a connection of its own, whose windows are small still.
  auto other = tidemark::backup::v1::Backup::NewStub(
      rpc::MakeChannel(nullptr, "127.0.0.1", node.server->port()));
  auto asleep = other->Save(&context, {});
  tidemark::backup::v1::SavePart part;
  ASSERT_TRUE(asleep->Read(&part));
  const auto busy = grpc::StatusCode::FAILED_PRECONDITION;
  EXPECT_EQ(all().error_code(), busy);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  grpc::Status status;
  do {
    status = all();
  } while (status.error_code() == busy &&
           std::chrono::steady_clock::now() < end);
  EXPECT_TRUE(status.ok()) << status.error_message();
  while (asleep->Read(&part)) {
  }
  EXPECT_FALSE(asleep->Finish().ok());
}

TEST(Grpc, BrokerRegistersSubscribesAndIsFencedWhenItsStreamBreaks) {
  Node node(1);
  node.OnLoop([&] { node.quorum.Elect(1); });
  auto stub = rpc_v1::BrokerLifecycle::NewStub(node.channel);
  rpc_v1::RegisterResponse registered;
  {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    auto status = stub->Register(&context, RegisterOf(4, 40), &registered);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  grpc::ClientContext feed_context;
  rpc_v1::SubscribeRequest subscribe;
  subscribe.set_broker_id(4);
  subscribe.set_cluster_id("c");
  subscribe.set_incarnation_id(RegisterOf(4, 40).incarnation_id());
  auto feed = stub->Subscribe(&feed_context, subscribe);
  rpc_v1::FeedMessage message;
  ASSERT_TRUE(feed->Read(&message));
  EXPECT_FALSE(message.snapshot()) << "the epoch, before it is made";
  ASSERT_TRUE(feed->Read(&message));
  EXPECT_TRUE(message.snapshot());
  rpc_v1::HeartbeatRequest beat;
  beat.set_broker_id(4);
  beat.set_broker_epoch(registered.broker_epoch());
  beat.set_metadata_offset(message.last_offset());
  rpc_v1::HeartbeatResponse answer;
  {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    ASSERT_TRUE(stub->Heartbeat(&context, beat, &answer).ok());
    EXPECT_FALSE(answer.fenced());
  }
  // The unfencing comes through the feed.
  bool seen = false;
  while (!seen && feed->Read(&message)) {
    for (const auto& batch : message.batches()) {
      for (const auto& record : batch.records()) {
        seen |= record.has_change_broker() && !record.change_broker().fenced();
      }
    }
  }
  EXPECT_TRUE(seen);
  feed_context.TryCancel();
  feed->Finish();
  bool fenced = false;
  for (int i = 0; i < 200 && !fenced; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    node.OnLoop(
        [&] { fenced = node.controller.committed()->FindBroker(4)->fenced; });
  }
  EXPECT_TRUE(fenced) << "well before its session of 2 s ends";
}

// D-9: metadata of more than 64 MiB reach a broker, and what is committed
// while they are on their way comes behind them.
TEST(Grpc, ASnapshotOfAnySizeIsDelivered) {
  Node node(1);
  constexpr int kRecords = 70;
  node.OnLoop([&] {
    for (int i = 1; i <= kRecords; ++i) {
      record_v1::RecordBatch batch;
      auto* config = batch.add_records()->mutable_set_config();
      config->set_type(record_v1::BROKER);
      config->set_key("key" + std::to_string(i));
      config->set_value(std::string(1 << 20, 'v'));
      node.quorum.ApplyEntry(i, batch.SerializeAsString());
    }
    node.quorum.Elect(3);
  });
  auto stub = rpc_v1::BrokerLifecycle::NewStub(node.channel);
  grpc::ClientContext context;
  SetDeadline(&context, 60'000);
  rpc_v1::SubscribeRequest subscribe;
  subscribe.set_broker_id(4);
  subscribe.set_cluster_id("c");
  auto feed = stub->Subscribe(&context, subscribe);
  rpc_v1::FeedMessage message;
  // While it is made others are told that somebody is there.
  do {
    ASSERT_TRUE(feed->Read(&message)) << feed->Finish().error_message();
  } while (!message.snapshot());
  EXPECT_GT(message.ByteSizeLong(), 64u << 20);
  ASSERT_TRUE(feed->Read(&message)) << feed->Finish().error_message();
  EXPECT_EQ(message.controller_epoch(), 3);
  EXPECT_EQ(message.last_offset(), kRecords + 1);
  context.TryCancel();
  feed->Finish();
}

// P-2, F40: while the controller was busy nobody waited any more for the answer
// to a heartbeat; it counts all the same.
TEST(Grpc, AHeartbeatThatWaitedTooLongCounts) {
  Node node(1);
  node.OnLoop([&] { node.quorum.Elect(1); });
  auto stub = rpc_v1::BrokerLifecycle::NewStub(node.channel);
  rpc_v1::RegisterResponse registered;
  {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    ASSERT_TRUE(stub->Register(&context, RegisterOf(4, 40), &registered).ok());
  }
  grpc::ClientContext feed_context;
  SetDeadline(&feed_context, 20'000);
  rpc_v1::SubscribeRequest subscribe;
  subscribe.set_broker_id(4);
  subscribe.set_cluster_id("c");
  subscribe.set_incarnation_id(TestUuid(40).ToBytes());
  auto feed = stub->Subscribe(&feed_context, subscribe);
  rpc_v1::FeedMessage message;
  ASSERT_TRUE(feed->Read(&message));
  rpc_v1::HeartbeatRequest request;
  request.set_broker_id(4);
  request.set_broker_epoch(registered.broker_epoch());
  request.set_metadata_offset(registered.broker_epoch());
  std::promise<void> go_on;
  node.loop.Post([&] { go_on.get_future().wait(); });
  grpc::ClientContext context;
  SetDeadline(&context, 100);
  rpc_v1::HeartbeatResponse response;
  EXPECT_EQ(stub->Heartbeat(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  go_on.set_value();
  node.OnLoop([&] {
    EXPECT_FALSE(node.controller.committed()->FindBroker(4)->fenced);
  });
  feed_context.TryCancel();
  feed->Finish();
}

TEST(Grpc, StandbyTellsBrokersWhereTheActiveIs) {
  Node node(2);
  node.OnLoop([&] {
    node.quorum.voters[1] = {1, "elsewhere", 9093};
    node.quorum.SetLeader(1);
  });
  auto stub = rpc_v1::BrokerLifecycle::NewStub(node.channel);
  grpc::ClientContext context;
  SetDeadline(&context, 5000);
  rpc_v1::RegisterResponse response;
  auto status = stub->Register(&context, RegisterOf(4, 40), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(rpc::ParseActiveHint(status.error_message()),
            (rpc::ActiveHint{1, "elsewhere", 9093}));
  grpc::ClientContext feed_context;
  SetDeadline(&feed_context, 5000);
  rpc_v1::SubscribeRequest subscribe;
  subscribe.set_cluster_id("c");
  auto feed = stub->Subscribe(&feed_context, subscribe);
  rpc_v1::FeedMessage message;
  EXPECT_FALSE(feed->Read(&message));
  EXPECT_EQ(rpc::ParseActiveHint(feed->Finish().error_message())->id, 1);
}

TEST(Grpc, AnyControllerTakesAdminCalls) {
  Node active(1), standby(2);
  active.OnLoop([&] { active.quorum.Elect(1); });
  standby.OnLoop([&] {
    standby.quorum.voters[1] = {1, "127.0.0.1", active.server->port()};
    standby.quorum.SetLeader(1);
  });
  auto stub = admin_v1::Admin::NewStub(standby.channel);
  {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    admin_v1::CreateTopicsRequest request;
    request.add_topics()->set_name("t");
    request.mutable_topics(0)->set_partitions(1);
    request.mutable_topics(0)->set_replication_factor(1);
    admin_v1::CreateTopicsResponse response;
    ASSERT_TRUE(stub->CreateTopics(&context, request, &response).ok());
    EXPECT_EQ(response.topics(0).code(),
              static_cast<int>(ErrorCode::kInvalidReplicationFactor))
        << "no broker yet";
  }
  {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    admin_v1::DescribeClusterResponse response;
    ASSERT_TRUE(stub->DescribeCluster(&context, {}, &response).ok());
    EXPECT_EQ(response.active_controller(), 1);
  }
  {
    // The code and message come through the forward.
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    admin_v1::UnregisterBrokerRequest request;
    request.set_broker_id(77);
    admin_v1::UnregisterBrokerResponse response;
    auto status = stub->UnregisterBroker(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(rpc::FromGrpc(status, &context).code,
              ErrorCode::kBrokerIdNotRegistered);
  }
}

// D-20e: the health service is no constant. Asked without its stub, which is
// no part of the library: 8, 1 is "status: SERVING", 8, 2 is NOT_SERVING.
TEST(Grpc, HealthFollowsReadiness) {
  Node node(1);
  node.server->ServeWhile(&node.loop,
                          [&] { return node.quorum.leader() != kNoNode; });
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(
      node.channel);
  auto health = [&]() -> std::string {
    grpc::ClientContext context;
    SetDeadline(&context, 5000);
    const grpc::Slice nothing;
    grpc::ByteBuffer request(&nothing, 1), response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request,
                   &response,
                   [&](grpc::Status status) { done.set_value(status); });
    const grpc::Status status = done.get_future().get();
    grpc::Slice slice;
    if (!status.ok() || !response.DumpToSingleSlice(&slice).ok()) {
      return status.error_message();
    }
    return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
  };
  auto becomes = [&](const std::string& wanted) {
    for (int i = 0; i < 500 && health() != wanted; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return health() == wanted;
  };
  EXPECT_TRUE(becomes("\x08\x02")) << "nobody leads";
  node.OnLoop([&] { node.quorum.Elect(1); });
  EXPECT_TRUE(becomes("\x08\x01"));
  node.OnLoop([&] { node.quorum.Depose(kNoNode, false); });
  EXPECT_TRUE(becomes("\x08\x02"));
}

TEST(Grpc, AdminCallWaitsForALeader) {
  Node node(1);
  auto stub = admin_v1::Admin::NewStub(node.channel);
  node.loop.PostAfter(std::chrono::milliseconds(200),
                      [&] { node.quorum.Elect(1); });
  grpc::ClientContext context;
  SetDeadline(&context, 5000);
  admin_v1::DescribeClusterResponse response;
  EXPECT_TRUE(stub->DescribeCluster(&context, {}, &response).ok());
}

// D-16
TEST(Grpc, ARequestHasALargestSize) {
  Node node(1);
  node.OnLoop([&] { node.quorum.Elect(1); });
  auto stub = admin_v1::Admin::NewStub(node.channel);
  auto ask = [&](size_t bytes) {
    grpc::ClientContext context;
    SetDeadline(&context, 30'000);
    admin_v1::DescribeTopicsRequest request;
    request.add_names(std::string(bytes, 'n'));
    admin_v1::DescribeTopicsResponse response;
    return stub->DescribeTopics(&context, request, &response).error_code();
  };
  EXPECT_EQ(ask(15 << 20), grpc::StatusCode::OK);
  EXPECT_EQ(ask(17 << 20), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

// D-16
TEST(Grpc, SoManyAdminCallsWaitAndNotMore) {
  Node node(1);  // and nobody leads
  auto stub = admin_v1::Admin::NewStub(node.channel);
  constexpr int kCalls = 501;
  struct Flight {
    grpc::ClientContext context;
    admin_v1::DescribeClusterRequest request;
    admin_v1::DescribeClusterResponse response;
  };
  std::vector<Flight> flights(kCalls);
  std::atomic<int> refused = 0, ended = 0;
  std::promise<void> first_end, last_end;
  for (Flight& flight : flights) {
    SetDeadline(&flight.context, 60'000);
    stub->async()->DescribeCluster(
        &flight.context, &flight.request, &flight.response,
        [&, &flight = flight](const grpc::Status& status) {
          refused +=
              !status.ok() && rpc::FromGrpc(status, &flight.context).code ==
                                  ErrorCode::kThrottlingQuotaExceeded;
          const int n = ++ended;
          if (n == 1) first_end.set_value();
          if (n == kCalls) last_end.set_value();
        });
  }
  first_end.get_future().wait();
  EXPECT_EQ(refused, 1);
  // The others wait, and there is room again when they are answered.
  node.OnLoop([&] { node.quorum.Elect(1); });
  last_end.get_future().wait();
  EXPECT_EQ(refused, 1);
  grpc::ClientContext context;
  SetDeadline(&context, 5000);
  admin_v1::DescribeClusterResponse response;
  EXPECT_TRUE(stub->DescribeCluster(&context, {}, &response).ok());
}

TEST(Grpc, AdminCallEndsAtItsDeadline) {
  Node node(1);
  auto stub = admin_v1::Admin::NewStub(node.channel);
  grpc::ClientContext context;
  SetDeadline(&context, 200);
  admin_v1::DescribeClusterResponse response;
  EXPECT_EQ(stub->DescribeCluster(&context, {}, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST(Grpc, TwoControllersThatPointAtEachOtherDoNotLoop) {
  Node a(1), b(2);
  a.OnLoop([&] {
    a.quorum.voters[2] = {2, "127.0.0.1", b.server->port()};
    a.quorum.SetLeader(2);
  });
  b.OnLoop([&] {
    b.quorum.voters[1] = {1, "127.0.0.1", a.server->port()};
    b.quorum.SetLeader(1);
  });
  auto stub = admin_v1::Admin::NewStub(a.channel);
  grpc::ClientContext context;
  SetDeadline(&context, 500);
  admin_v1::DescribeClusterResponse response;
  EXPECT_FALSE(stub->DescribeCluster(&context, {}, &response).ok());
}

TEST(Grpc, APortInUseIsNamed) {
  Node node(1);
  auto second = GrpcServer::Start("127.0.0.1", node.server->port(), {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string(node.server->port())),
            std::string::npos);
}

}  // namespace
}  // namespace tidemark::controller
