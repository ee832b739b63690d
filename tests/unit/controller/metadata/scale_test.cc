// What a decision costs follows from what it changes, not from what there is:
// the same one, beside 30 topics and beside 3,000. A walk over all partitions
// would take a hundred times as long. Of the thread's processor time the best
// of some runs: neither other work nor a cold cache counts.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <functional>

#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/describe.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/topic_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

constexpr int kPartitions = 10;

// Brokers 1 to 3 have all; 4 and 5 one topic, "few", whose partitions are each
// another index' only one: led by the second replica, without a leader, with an
// eligible leader.
State Beside(int topics) {
  State state;
  for (NodeId id = 1; id <= 5; ++id) state.Broker(id);
  for (int topic = 1; topic <= topics; ++topic) {
    state.Topic("topic." + std::to_string(topic), topic);
    for (int i = 0; i < kPartitions; ++i) {
      state.Partition(topic, i, {1, 2, 3}, {1, 2, 3}, 1);
    }
  }
  const int few = topics + 1;
  state.Topic("few", few);
  for (int i = 0; i < kPartitions; ++i) {
    state.Partition(few, i, {4, 5}, {4, 5}, i == 0 ? 5 : i == 1 ? kNoNode : 4);
  }
  record_v1::Record record;
  auto* change = record.mutable_change_partition();
  change->set_topic_id(TestId(few).ToBytes());
  change->set_partition(2);
  change->add_isr(4);
  change->mutable_eligible_leader_replicas()->add_replicas(5);
  state.Apply({record});
  return state;
}

double Best(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    best = std::min(best,
                    static_cast<double>(to.tv_sec - from.tv_sec) * 1e6 +
                        static_cast<double>(to.tv_nsec - from.tv_nsec) / 1e3);
  }
  return best;  // microseconds
}

TEST(Scale, WhatADecisionCostsFollowsFromWhatItChanges) {
  const State small = Beside(30), large = Beside(3000);
  const Settings settings;
  auto expect_as_cheap = [&](const char* what,
                             const std::function<void(const State&)>& decide) {
    const double beside_few = Best([&] { decide(small); });
    const double beside_many = Best([&] { decide(large); });
    EXPECT_LT(beside_many, 10 * beside_few + 20)
        << what << ": " << beside_few << " us beside 300 partitions, "
        << beside_many << " us beside 30,000";
  };
  expect_as_cheap("fence", [&](const State& state) {
    EXPECT_EQ(DecideFence(View{*state, settings}, {4}).size(), 11u);
  });
  expect_as_cheap("unclean", [&](const State& state) {
    EXPECT_EQ(DecideUncleanLeaders(View{*state, settings}, 100).size(), 0u);
  });
  expect_as_cheap("preferred", [&](const State& state) {
    EXPECT_EQ(DecidePreferredLeaders(View{*state, settings}, 100).size(), 2u);
  });
  expect_as_cheap("eligible", [&](const State& state) {
    EXPECT_EQ(DecideEligibleLeaders(View{*state, settings}, 100).size(), 1u);
  });
  expect_as_cheap("counts", [&](const State& state) {
    auto cluster =
        Describe(View{*state, settings}, admin_v1::DescribeClusterRequest());
    EXPECT_EQ(cluster.offline_partitions(), 1);
    EXPECT_EQ(cluster.under_replicated_partitions(), 1);
    EXPECT_EQ(Count(*state).not_preferred, 2);
  });
  expect_as_cheap("elect all", [&](const State& state) {
    admin_v1::ElectLeadersRequest request;
    EXPECT_EQ(Decide(View{*state, settings}, request).records.size(), 2u);
  });
  expect_as_cheap(
      "create, with a name that may collide", [&](const State& state) {
        admin_v1::CreateTopicsRequest request;
        auto* topic = request.add_topics();
        topic->set_name("topic_1");
        topic->set_partitions(1);
        topic->set_replication_factor(1);
        const Randomness random{[] { return TestId(60'000); },
                                [](size_t) { return size_t{0}; }};
        auto out = Decide(
            View{.image = *state, .settings = settings, .random = &random},
            request);
        EXPECT_EQ(out.response.topics(0).code(),
                  static_cast<int>(ErrorCode::kInvalidTopicException));
      });
  expect_as_cheap("apply", [&](const State& state) {
    State next = state;
    next.Topic("another", 60'000);
    next.Partition(60'000, 0, {1, 2, 3}, {1, 2, 3}, 1);
  });
}

}  // namespace
}  // namespace tidemark::controller
