#include <gtest/gtest.h>

#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/eviction.h"
#include "controller/metadata/liveness.h"
#include "controller/metadata/producer_id_decisions.h"
#include "controller/metadata/registration.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using Ids = std::vector<NodeId>;
using std::chrono::milliseconds;

Settings Cluster() {
  Settings settings;
  settings.cluster_id = "c";
  return settings;
}

rpc_v1::RegisterRequest RegisterOf(NodeId id, int incarnation) {
  rpc_v1::RegisterRequest r;
  r.set_cluster_id("c");
  r.set_broker_id(id);
  r.set_incarnation_id(TestId(incarnation).ToBytes());
  r.add_directory_ids(TestId(1000 + id).ToBytes());
  auto* e = r.add_endpoints();
  e->set_name("PLAINTEXT");
  e->set_host("h");
  e->set_port(9092);
  r.set_previous_broker_epoch(-1);
  return r;
}

ErrorCode CodeOf(const Decision<rpc_v1::RegisterResponse>& d) {
  return static_cast<ErrorCode>(d.response.error().code());
}

TEST(Register, RefusesWhatIsMalformed) {
  State state;
  state.Broker(2);
  auto code = [&](auto edit) {
    auto request = RegisterOf(1, 50);
    edit(&request);
    auto decision = Decide(View{*state, Cluster()}, request);
    EXPECT_EQ(decision.records.empty(), CodeOf(decision) != ErrorCode::kNone);
    return CodeOf(decision);
  };
  using R = rpc_v1::RegisterRequest;
  EXPECT_EQ(code([](R*) {}), ErrorCode::kNone);
  EXPECT_EQ(code([](R* r) { r->set_cluster_id("d"); }),
            ErrorCode::kInconsistentClusterId);
  EXPECT_EQ(code([](R* r) { r->set_broker_id(-1); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { r->set_incarnation_id("short"); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { r->clear_directory_ids(); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { r->add_directory_ids(r->directory_ids(0)); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { r->set_directory_ids(0, TestId(1002).ToBytes()); }),
            ErrorCode::kDuplicateBrokerRegistration);
  EXPECT_EQ(code([](R* r) { r->clear_endpoints(); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { r->mutable_endpoints(0)->set_port(70000); }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(code([](R* r) { *r->add_endpoints() = r->endpoints(0); }),
            ErrorCode::kInvalidRequest);
}

TEST(Register, AnIdInUseIsRefusedWhileItsSessionLasts) {
  State state;
  state.Broker(1);
  auto other = RegisterOf(1, 50);
  other.set_directory_ids(0, TestId(2000).ToBytes());
  EXPECT_EQ(
      CodeOf(Decide(View{*state, Cluster(), {.has_session = true}}, other)),
      ErrorCode::kDuplicateBrokerRegistration);
  EXPECT_EQ(CodeOf(Decide(View{*state, Cluster()}, other)), ErrorCode::kNone);
  auto same = RegisterOf(1, 1);
  EXPECT_EQ(
      CodeOf(Decide(View{*state, Cluster(), {.has_session = true}}, same)),
      ErrorCode::kNone);
}

// The lock on its directories proves that the process before it is gone.
TEST(Register, TheSameDirectoriesNeedNotWaitForTheSessionToEnd) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1);
  state.Partition(1, 0, {1, 2}, {1, 2}, 1);
  auto code = [&](std::vector<int> directories) {
    auto request = RegisterOf(1, 50);
    request.clear_directory_ids();
    for (int id : directories) {
      request.add_directory_ids(TestId(id).ToBytes());
    }
    return CodeOf(
        Decide(View{*state, Cluster(), {.has_session = true}}, request));
  };
  EXPECT_EQ(code({1001}), ErrorCode::kNone);
  EXPECT_EQ(code({2001}), ErrorCode::kDuplicateBrokerRegistration);
  EXPECT_EQ(code({1001, 2001}), ErrorCode::kDuplicateBrokerRegistration);
  state.Apply(
      Decide(View{*state, Cluster(), {.has_session = true}}, RegisterOf(1, 50))
          .records);
  EXPECT_TRUE(state->FindBroker(1)->fenced);
  EXPECT_EQ(state.P("t", 0).leader, 2);
  EXPECT_EQ(state.P("t", 0).isr, Ids{2});
}

TEST(Register, UncleanReturnLeavesEveryIsr) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1);
  state.Partition(1, 0, {1, 2}, {1, 2}, 1).Partition(1, 1, {1}, {1}, 1);
  auto decision = Decide(View{*state, Cluster()}, RegisterOf(1, 50));
  state.Apply(decision.records);
  EXPECT_EQ(state.P("t", 0).isr, Ids{2});
  EXPECT_EQ(state.P("t", 0).leader, 2);
  EXPECT_EQ(state.P("t", 1).isr, Ids{1}) << "the last member stays";
  EXPECT_EQ(state.P("t", 1).leader, kNoNode);
  EXPECT_TRUE(state->FindBroker(1)->fenced);
}

TEST(Register, CleanReturnOfAFencedBrokerStaysInSync) {
  State state;
  state.Broker(1, true).Broker(2).Topic("t", 1);
  state.Partition(1, 0, {1, 2}, {1, 2}, 2);
  auto request = RegisterOf(1, 50);
  request.set_previous_broker_epoch(state.Epoch(1));
  state.Apply(Decide(View{*state, Cluster()}, request).records);
  EXPECT_EQ(state.P("t", 0).isr, (Ids{1, 2}));
  request = RegisterOf(1, 51);
  request.set_previous_broker_epoch(999);
  state.Apply(Decide(View{*state, Cluster()}, request).records);
  EXPECT_EQ(state.P("t", 0).isr, Ids{2});
}

rpc_v1::HeartbeatRequest Beat(const State& state, NodeId id) {
  rpc_v1::HeartbeatRequest r;
  r.set_broker_id(id);
  r.set_broker_epoch(state.Epoch(id));
  r.set_metadata_offset(state.Epoch(id));
  return r;
}

TEST(Heartbeat, UnknownAndStaleBrokersChangeNothing) {
  State state;
  state.Broker(1, true);
  auto request = Beat(state, 1);
  request.set_broker_epoch(77);
  auto stale = Decide(View{*state, Cluster()}, request);
  EXPECT_EQ(stale.response.error().code(),
            static_cast<int>(ErrorCode::kStaleBrokerEpoch));
  EXPECT_TRUE(stale.records.empty());
  request.set_broker_id(9);
  EXPECT_EQ(Decide(View{*state, Cluster()}, request).response.error().code(),
            static_cast<int>(ErrorCode::kBrokerIdNotRegistered));
}

TEST(Heartbeat, UnfencesOnceItsOwnRegistrationIsApplied) {
  State state;
  state.Broker(1, true).Topic("t", 1).Partition(1, 0, {1}, {1}, kNoNode);
  auto request = Beat(state, 1);
  request.set_metadata_offset(state.Epoch(1) - 1);
  EXPECT_TRUE(Decide(View{*state, Cluster()}, request).records.empty());
  // Not the log's end (KAFKA-13959).
  request.set_metadata_offset(state.Epoch(1));
  ASSERT_LT(state.Epoch(1), state.offset());
  request.set_want_fence(true);
  EXPECT_TRUE(Decide(View{*state, Cluster()}, request).records.empty());
  request.set_want_fence(false);
  EXPECT_TRUE(Decide(View{*state, Cluster(), {.connected = false}}, request)
                  .records.empty());
  auto decision = Decide(View{*state, Cluster()}, request);
  EXPECT_FALSE(decision.response.fenced());
  state.Apply(decision.records);
  EXPECT_FALSE(state->FindBroker(1)->fenced);
  EXPECT_EQ(state.P("t").leader, 1) << "elected in the same batch";
}

TEST(Heartbeat, FencesAtItsOwnWish) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  auto request = Beat(state, 1);
  request.set_want_fence(true);
  auto decision = Decide(View{*state, Cluster()}, request);
  EXPECT_TRUE(decision.response.fenced());
  state.Apply(decision.records);
  EXPECT_TRUE(state->FindBroker(1)->fenced);
  EXPECT_EQ(state.P("t").leader, 2);
}

TEST(Heartbeat, BrokerWithoutADiskIsFenced) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  auto request = Beat(state, 1);
  request.add_offline_directory_ids(TestId(999).ToBytes());
  EXPECT_TRUE(Decide(View{*state, Cluster()}, request).records.empty());
  request.add_offline_directory_ids(TestId(1001).ToBytes());
  state.Apply(Decide(View{*state, Cluster()}, request).records);
  EXPECT_TRUE(state->FindBroker(1)->fenced);
  EXPECT_TRUE(Decide(View{*state, Cluster()}, request).records.empty());
}

TEST(Heartbeat, ControlledShutdownMovesLeadersThenLetsGo) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1);
  state.Partition(1, 0, {1, 2}, {1, 2}, 1).Partition(1, 1, {1}, {1}, 1);
  auto request = Beat(state, 1);
  request.set_want_shut_down(true);
  auto first = Decide(View{*state, Cluster()}, request);
  EXPECT_FALSE(first.response.should_shut_down());
  state.Apply(first.records);
  EXPECT_TRUE(state->FindBroker(1)->in_controlled_shutdown);
  EXPECT_FALSE(state->FindBroker(1)->fenced);
  EXPECT_EQ(state.P("t", 0).leader, 2);
  EXPECT_EQ(state.P("t", 0).isr, Ids{2});
  EXPECT_EQ(state.P("t", 1).leader, kNoNode);
  auto waiting = Decide(View{*state, Cluster()}, request);
  EXPECT_FALSE(waiting.response.should_shut_down());
  EXPECT_TRUE(waiting.records.empty());
  auto last = Decide(
      View{*state, Cluster(), {.leaders_moved_everywhere = true}}, request);
  EXPECT_TRUE(last.response.should_shut_down());
  state.Apply(last.records);
  EXPECT_TRUE(state->FindBroker(1)->fenced);
  // In this life it does not come back.
  auto again = Decide(View{*state, Cluster()}, Beat(state, 1));
  EXPECT_TRUE(again.records.empty());
  EXPECT_TRUE(again.response.fenced());
}

TEST(Fence, LeavesEveryIsrAndLeadershipInOneGo) {
  State state;
  state.Broker(1).Broker(2).Broker(3).Topic("t", 1);
  state.Partition(1, 0, {1, 2, 3}, {1, 2, 3}, 1)
      .Partition(1, 1, {2, 1}, {2, 1}, 2)
      .Partition(1, 2, {2, 3}, {2, 3}, 2)
      .Partition(1, 3, {1, 2}, {1}, 1);
  Records records = DecideFence(View{*state, Cluster()}, {1});
  EXPECT_EQ(records.size(), 4u);
  EXPECT_TRUE(records.back().change_broker().fenced());
  state.Apply(records);
  EXPECT_EQ(state.P("t", 0).leader, 2);
  EXPECT_EQ(state.P("t", 0).isr, (Ids{2, 3}));
  EXPECT_EQ(state.P("t", 1).isr, Ids{2});
  EXPECT_EQ(state.P("t", 1).leader_epoch, 5);
  EXPECT_EQ(state.P("t", 2).partition_epoch, 7);
  EXPECT_EQ(state.P("t", 3).leader, kNoNode);
}

// Of a zone that is gone each partition changes once, to a broker that is
// there, whatever the order of the fencing would have been.
TEST(Fence, OfAZoneMovesEachPartitionOnce) {
  State state;
  for (NodeId id = 1; id <= 5; ++id) state.Broker(id);
  state.Topic("t", 1);
  state.Partition(1, 0, {1, 2, 3}, {1, 2, 3}, 1)
      .Partition(1, 1, {2, 4, 1}, {2, 1}, 2)
      .Partition(1, 2, {3, 4, 2}, {3, 4, 2}, 3)
      .Partition(1, 3, {4, 5}, {4, 5}, 4);
  Records records = DecideFence(View{*state, Cluster()}, {2, 1});
  ASSERT_EQ(records.size(), 5u) << "three partitions, two brokers";
  EXPECT_TRUE(records[3].change_broker().fenced());
  EXPECT_TRUE(records[4].change_broker().fenced());
  state.Apply(records);
  EXPECT_EQ(state.P("t", 0).leader, 3);
  EXPECT_EQ(state.P("t", 0).isr, Ids{3});
  EXPECT_EQ(state.P("t", 0).leader_epoch, 6) << "one epoch, not two";
  EXPECT_EQ(state.P("t", 1).leader, kNoNode) << "4 was not in sync";
  EXPECT_EQ(state.P("t", 1).isr.size(), 1u) << "the last member stays";
  EXPECT_EQ(state.P("t", 2).leader, 3);
  EXPECT_EQ(state.P("t", 2).isr, (Ids{3, 4}));
  EXPECT_EQ(state.P("t", 3).partition_epoch, 7) << "not of the zone";
}

// A zone is too much for one turn of the controller's loop.
TEST(Fence, InPartsEndsAsInOneGo) {
  State whole;
  for (NodeId id = 1; id <= 6; ++id) whole.Broker(id);
  unsigned seed = 1;
  auto below = [&](unsigned n) {
    return (seed = seed * 1103515245 + 12345) / 65536 % n;
  };
  for (int topic = 1; topic <= 40; ++topic) {
    whole.Topic("t" + std::to_string(topic), topic);
    for (int i = 0; i < 3; ++i) {
      Ids replicas{1, 2, 3, 4, 5, 6};
      for (size_t n = 6; n > 1; --n) {
        std::swap(replicas[n - 1], replicas[below(static_cast<unsigned>(n))]);
      }
      replicas.resize(1 + below(3));
      Ids isr = replicas;
      isr.resize(1 + below(static_cast<unsigned>(isr.size())));
      whole.Partition(topic, i, replicas, isr, isr[0]);
    }
  }
  State parts = whole;
  const Records all = DecideFence(View{*whole, Cluster()}, {5, 1, 3});
  whole.Apply(all);
  Fencing fencing{.brokers = {1, 3, 5}};
  size_t records = 0, turns = 0;
  while (!fencing.complete) {
    Records some = FenceSome(View{*parts, Cluster()}, 7, &fencing);
    records += some.size();
    ASSERT_LE(some.size(), fencing.complete ? 10u : 7u);
    ASSERT_LT(++turns, 100u);
    parts.Apply(some);
  }
  EXPECT_GT(turns, 5u);
  EXPECT_EQ(records, all.size());
  for (int topic = 1; topic <= 40; ++topic) {
    for (int i = 0; i < 3; ++i) {
      const std::string name = "t" + std::to_string(topic);
      EXPECT_EQ(parts.P(name, i), whole.P(name, i));
    }
  }
  for (NodeId id : {1, 3, 5}) EXPECT_TRUE(parts->FindBroker(id)->fenced);
}

// Nor what has changed with an earlier broker is looked at without end.
TEST(Fence, InPartsLooksAtABoundedNumber) {
  constexpr int kAll = 120;
  constexpr size_t kPerTurn = 10;
  State state;
  for (NodeId id = 1; id <= 3; ++id) state.Broker(id);
  state.Topic("t", 1);
  for (int i = 0; i < kAll; ++i) {
    state.Partition(1, i, {1, 2, 3}, {1, 2, 3}, 1);
  }
  state.Partition(1, kAll, {2, 3}, {2, 3}, 2);
  Fencing fencing{.brokers = {1, 2}};
  size_t changed = 0, turns = 0;
  while (!fencing.complete) {
    const Records some = FenceSome(View{*state, Cluster()}, kPerTurn, &fencing);
    changed += some.size();
    ASSERT_LT(++turns, 100u);
    state.Apply(some);
  }
  EXPECT_EQ(changed, kAll + 1 + 2u);
  EXPECT_GE(turns, kAll / kPerTurn + kAll / (kLooksPerChange * kPerTurn));
  EXPECT_EQ(state.P("t", kAll).leader, 3);
}

TEST(Unregister, FencesAndRemoves) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  admin_v1::UnregisterBrokerRequest request;
  request.set_broker_id(9);
  EXPECT_FALSE(Decide(View{*state, Cluster()}, request));
  request.set_broker_id(1);
  const auto registering =
      Decide(View{*state, Cluster(), {.being_registered = true}}, request);
  EXPECT_EQ(registering.error().code, ErrorCode::kNotController)
      << "asked again in a moment";
  state.Apply(Decide(View{*state, Cluster()}, request)->records);
  EXPECT_EQ(state->FindBroker(1), nullptr);
  EXPECT_EQ(state.P("t").leader, 2);
}

TEST(ProducerIds, BlocksNeverOverlap) {
  State state;
  state.Broker(1);
  rpc_v1::AllocateProducerIdsRequest request;
  request.set_broker_id(1);
  request.set_broker_epoch(state.Epoch(1) + 1);
  EXPECT_NE(Decide(View{*state, Cluster()}, request).response.error().code(),
            0);
  request.set_broker_epoch(state.Epoch(1));
  for (ProducerId first : {0, 1000, 2000}) {
    auto decision = Decide(View{*state, Cluster()}, request);
    EXPECT_EQ(decision.response.first(), first);
    EXPECT_EQ(decision.response.count(), 1000);
    state.Apply(decision.records);
  }
}

// ---- Liveness.

const Instant kStart = Instant() + std::chrono::hours(1);
Instant At(int ms) { return kStart + milliseconds(ms); }

// Lost at each step of 50 ms, as the controller asks.
Ids LostBy(Liveness* liveness, const State& state, int from, int to) {
  for (int ms = from; ms < to; ms += 50) {
    if (auto lost = liveness->Lost(*state, At(ms)); !lost.empty()) return lost;
  }
  return liveness->Lost(*state, At(to));
}

TEST(LivenessTest, SilentBrokerIsLostAfterItsSession) {
  State state;
  state.Broker(1).Broker(2).Broker(3, true);
  Liveness liveness({});
  for (NodeId id : {1, 2, 3}) liveness.FeedOpened(id, TestId(id), At(0));
  liveness.Start(*state, At(0));
  EXPECT_EQ(LostBy(&liveness, state, 0, 1000), Ids{});
  liveness.Contact(*state->FindBroker(2), 1, At(1000));
  EXPECT_EQ(LostBy(&liveness, state, 1000, 1990), Ids{});
  EXPECT_EQ(LostBy(&liveness, state, 1990, 2000), Ids{1});
  EXPECT_FALSE(liveness.HasSession(1, At(2000)));
  EXPECT_TRUE(liveness.HasSession(2, At(2000)));
}

TEST(LivenessTest, BrokenFeedCostsOnlyTheGrace) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  liveness.FeedOpened(1, TestId(1), At(0));
  liveness.FeedClosed(1, TestId(1), At(100));
  // D-12: the grace is there to protect it, not who wants its place.
  EXPECT_TRUE(liveness.HasSession(1, At(101)));
  EXPECT_EQ(LostBy(&liveness, state, 100, 399), Ids{});
  EXPECT_EQ(liveness.Lost(*state, At(400)), Ids{1});
}

TEST(LivenessTest, FeedBackInTimeKeepsTheBroker) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  liveness.FeedOpened(1, TestId(1), At(0));
  liveness.FeedClosed(1, TestId(1), At(100));
  EXPECT_FALSE(liveness.Connected(1));
  liveness.FeedOpened(1, TestId(1), At(300));
  EXPECT_TRUE(liveness.Connected(1));
  EXPECT_EQ(LostBy(&liveness, state, 300, 1500), Ids{});
  // The new feed may come before the old one ends.
  liveness.FeedOpened(1, TestId(1), At(1500));
  liveness.FeedClosed(1, TestId(1), At(1510));
  EXPECT_EQ(LostBy(&liveness, state, 1500, 3000), Ids{});
}

// D-11: only the process that is registered speaks for a broker.
TEST(LivenessTest, AFeedOfAnotherProcessIsNoSignOfLife) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.FeedOpened(1, TestId(1), At(0));
  liveness.Start(*state, At(0));
  // A second process under its number; and one that says nothing.
  liveness.FeedOpened(1, TestId(77), At(10));
  liveness.FeedOpened(1, Uuid(), At(10));
  liveness.FeedClosed(1, TestId(1), At(100));
  EXPECT_FALSE(liveness.Connected(1));
  liveness.FeedOpened(1, TestId(78), At(150));
  EXPECT_FALSE(liveness.Connected(1));
  EXPECT_EQ(LostBy(&liveness, state, 100, 399), Ids{});
  EXPECT_EQ(liveness.Lost(*state, At(400)), Ids{1});
}

TEST(LivenessTest, TheEndOfAnotherProcessesFeedCostsNothing) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.FeedOpened(1, TestId(1), At(0));
  liveness.Start(*state, At(0));
  liveness.FeedOpened(1, TestId(77), At(10));
  liveness.FeedClosed(1, TestId(77), At(20));
  EXPECT_TRUE(liveness.Connected(1));
  EXPECT_EQ(LostBy(&liveness, state, 0, 1900), Ids{});
}

// A broker opens its feed and registers at the same time.
TEST(LivenessTest, AFeedMayComeBeforeTheRegistration) {
  State state;
  Liveness liveness({});
  liveness.Start(*state, At(0));
  liveness.FeedOpened(1, TestId(1), At(10));
  state.Broker(1);
  liveness.Contact(*state->FindBroker(1), 0, At(20));
  EXPECT_TRUE(liveness.Connected(1));
}

// D-13: heartbeats alone keep nobody who does not hear what it leads.
TEST(LivenessTest, ABrokerWithoutAFeedIsLostAfterASession) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  EXPECT_FALSE(liveness.Connected(1));
  for (int ms = 0; ms < 2000; ms += 50) {
    liveness.Contact(*state->FindBroker(1), 1, At(ms));
    ASSERT_EQ(liveness.Lost(*state, At(ms)), Ids{}) << ms;
  }
  EXPECT_EQ(liveness.Lost(*state, At(2000)), Ids{1});
  EXPECT_TRUE(liveness.HasSession(1, At(2000)));
}

TEST(LivenessTest, OwnPauseCostsNobodyItsSession) {
  State state;
  state.Broker(1).Broker(2);
  Liveness liveness({});
  liveness.FeedOpened(1, TestId(1), At(0));
  liveness.Start(*state, At(0));
  liveness.Lost(*state, At(50));
  EXPECT_EQ(liveness.Lost(*state, At(5000)), Ids{});
  // Nor, to who has no feed yet, the rest of its time.
  EXPECT_EQ(LostBy(&liveness, state, 5000, 6949), Ids{});
  EXPECT_EQ(liveness.Lost(*state, At(6950)), Ids{2});
  EXPECT_EQ(liveness.Lost(*state, At(7000)), (Ids{1, 2}));
}

class SuspicionTest : public testing::Test {
 protected:
  // Three brokers, heard of at 0.
  SuspicionTest() {
    state_.Broker(1).Broker(2).Broker(3);
    for (NodeId id : {1, 2, 3}) liveness_.FeedOpened(id, TestId(id), At(0));
    liveness_.Start(*state_, At(0));
  }
  // Two and three are alive all the time.
  Ids LostAt(int ms) {
    for (; now_ <= ms; now_ += 50) {
      for (NodeId id : {2, 3}) {
        liveness_.Contact(*state_->FindBroker(id), 1, At(now_));
      }
      lost_ = liveness_.Lost(*state_, At(now_));
    }
    return lost_;
  }

  State state_;
  Liveness liveness_{{}};
  int now_ = 0;
  Ids lost_;
};

TEST_F(SuspicionTest, ABrokenFeedAndARefusingAddressAreADeadProcess) {
  liveness_.Contact(*state_->FindBroker(1), 1, At(100));
  liveness_.Report(2, {1}, {});
  EXPECT_EQ(LostAt(100), Ids{});
  liveness_.FeedClosed(1, TestId(1), At(101));
  EXPECT_EQ(LostAt(150), Ids{1});
}

TEST_F(SuspicionTest, InWhateverOrderTheyAreSeen) {
  liveness_.FeedClosed(1, TestId(1), At(1));
  EXPECT_EQ(LostAt(50), Ids{});
  liveness_.Report(2, {1}, {});
  EXPECT_EQ(LostAt(100), Ids{1});
}

// It is there again, and who was refused has not tried since.
TEST_F(SuspicionTest, ANewFeedIsNoBrokenOne) {
  liveness_.FeedClosed(1, TestId(1), At(1));
  liveness_.FeedOpened(1, TestId(1), At(20));
  liveness_.Report(2, {1}, {});
  EXPECT_EQ(LostAt(650), Ids{});
}

TEST_F(SuspicionTest, NoWordAndNoAnswerToAnother) {
  liveness_.Report(2, {}, {1});
  EXPECT_EQ(LostAt(650), Ids{});
  EXPECT_EQ(LostAt(700), Ids{1});
}

TEST_F(SuspicionTest, NeitherAloneIsEnough) {
  liveness_.Report(2, {}, {1});
  for (int ms = 0; ms < 3000; ms += 50) {
    liveness_.Contact(*state_->FindBroker(1), 1, At(ms));
    ASSERT_EQ(LostAt(ms), Ids{}) << ms;
  }
  liveness_.Report(2, {}, {});
  EXPECT_EQ(LostAt(4900), Ids{});
  EXPECT_EQ(LostAt(4950), Ids{1}) << "after its session";
}

TEST_F(SuspicionTest, WhoAnswersAgainIsNotSuspected) {
  liveness_.Report(2, {}, {1});
  EXPECT_EQ(LostAt(600), Ids{});
  liveness_.Report(2, {}, {});
  EXPECT_EQ(LostAt(1950), Ids{});
}

// Two that are cut off from everybody say nothing about each other.
TEST_F(SuspicionTest, OnlyWhoIsHeardOfIsBelieved) {
  liveness_.Report(1, {}, {2});
  liveness_.Report(2, {}, {1});
  EXPECT_EQ(LostBy(&liveness_, state_, 0, 1950), Ids{});
  EXPECT_EQ(LostBy(&liveness_, state_, 1950, 2000), (Ids{1, 2, 3}));
}

TEST_F(SuspicionTest, NorIsWhoIsFenced) {
  state_ = State();
  state_.Broker(1).Broker(2, true).Broker(3);
  liveness_.Report(2, {1}, {1});
  liveness_.FeedClosed(1, TestId(1), At(1));
  EXPECT_EQ(LostAt(250), Ids{});
}

TEST_F(SuspicionTest, OwnPauseIsNoSilence) {
  liveness_.Report(2, {}, {1});
  EXPECT_EQ(LostAt(300), Ids{});
  EXPECT_EQ(liveness_.Lost(*state_, At(900)), Ids{});
}

TEST(LivenessTest, NewActiveGivesEveryoneASession) {
  State state;
  state.Broker(1);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  EXPECT_EQ(LostBy(&liveness, state, 0, 2000), Ids{1});
  liveness.Start(*state, At(2000));
  EXPECT_EQ(LostBy(&liveness, state, 2000, 3950), Ids{});
}

TEST(LivenessTest, ShutdownIsSeenWhenAllActiveBrokersAppliedIt) {
  State state;
  state.Broker(1, false, "", true).Broker(2).Broker(3).Broker(4, true);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  liveness.SetShutdownOffset(1, 10);
  liveness.SetShutdownOffset(1, 99);  // KAFKA-14292: once
  liveness.Contact(*state->FindBroker(2), 10, At(1));
  EXPECT_FALSE(liveness.ShutdownSeenByAll(*state, 1));
  liveness.Contact(*state->FindBroker(3), 12, At(1));
  EXPECT_TRUE(liveness.ShutdownSeenByAll(*state, 1));
  EXPECT_FALSE(liveness.ShutdownSeenByAll(*state, 2));
}

// D-14, F22: after a failover of the controllers, on a log that never rests.
TEST(LivenessTest, ShutdownEndsThoughItsOffsetIsNotKnown) {
  State state;
  state.Broker(1, false, "", true).Broker(2);
  Liveness liveness({});
  liveness.Start(*state, At(0));
  EXPECT_FALSE(liveness.ShutdownSeenByAll(*state, 1));
  const MetadataOffset asked = state.offset();
  state.Topic("t", 5).Topic("u", 6);
  EXPECT_FALSE(liveness.ShutdownSeenByAll(*state, 1));
  liveness.Contact(*state->FindBroker(2), asked, At(1));
  ASSERT_LT(asked, state.offset());
  EXPECT_TRUE(liveness.ShutdownSeenByAll(*state, 1));
}

}  // namespace
}  // namespace tidemark::controller
