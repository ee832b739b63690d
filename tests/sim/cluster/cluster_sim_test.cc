#include "tests/sim/cluster/cluster_sim.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace tidemark::sim {
namespace {

// TIDEMARK_SIM_SEED and TIDEMARK_SIM_SEEDS choose others.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class ClusterSim : public ::testing::Test {
 protected:
  ClusterSim() {
    FLAGS_logtostderr = true;
    FLAGS_minloglevel =
        static_cast<int>(FromEnvironment("TIDEMARK_SIM_LOG", google::FATAL));
  }
};

TEST_F(ClusterSim, HoldsForManySeeds) {
  const uint64_t first = FromEnvironment("TIDEMARK_SIM_SEED", 1);
  const uint64_t count = FromEnvironment("TIDEMARK_SIM_SEEDS", 30);
  ClusterSimResult total;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    ClusterSimOptions options;
    options.seed = seed;
    const auto result = RunClusterSim(options);
    ASSERT_FALSE(result.failure) << *result.failure;
    total.events += result.events;
    total.acknowledged += result.acknowledged;
    total.shown += result.shown;
    total.committed += result.committed;
  }
  std::cout << "events " << total.events << ", acknowledged "
            << total.acknowledged << ", shown " << total.shown << ", committed "
            << total.committed << "\n";
  EXPECT_GE(total.committed, total.shown);
}

TEST_F(ClusterSim, HoldsForTransactions) {
  const uint64_t first = FromEnvironment("TIDEMARK_SIM_SEED", 1);
  const uint64_t count = FromEnvironment("TIDEMARK_SIM_SEEDS", 12);
  ClusterSimResult total;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    ClusterSimOptions options;
    options.seed = seed;
    options.transactions = true;
    const auto result = RunClusterSim(options);
    ASSERT_FALSE(result.failure) << *result.failure;
    total.shown += result.shown;
    total.transactions += result.transactions;
  }
  std::cout << "shown " << total.shown << ", transactions "
            << total.transactions << "\n";
  EXPECT_GT(total.transactions, 10 * count) << "it hardly does anything";
}

// What exploring has found once.
TEST_F(ClusterSim, HoldsForSeedsThatFailed) {
  // A flipped bit, a recovery that cuts there, and a leader of what is left.
  // Logs that a start found no descriptors for, and a journal with a gap.
  // The first batch of a producer refused, the next one not.
  // All power cut before a new log was there for good.
  for (const uint64_t seed :
       {2485062167ull, 4209940936ull, 200035ull, 200338ull, 90ull}) {
    ClusterSimOptions options;
    options.seed = seed;
    const auto result = RunClusterSim(options);
    EXPECT_FALSE(result.failure) << *result.failure;
  }
  // A coordinator that asked for a write again as soon as it was refused, while
  // time stood still.
  const auto result = RunClusterSim({.seed = 1, .transactions = true});
  EXPECT_FALSE(result.failure) << *result.failure;
}

TEST_F(ClusterSim, ASeedReplays) {
  ClusterSimOptions options;
  options.seed = 42;
  const auto one = RunClusterSim(options);
  const auto two = RunClusterSim(options);
  EXPECT_EQ(one.events, two.events);
  EXPECT_EQ(one.hash, two.hash);
  EXPECT_EQ(one.acknowledged, two.acknowledged);
  options.transactions = true;
  const auto three = RunClusterSim(options);
  const auto four = RunClusterSim(options);
  EXPECT_EQ(three.hash, four.hash);
  EXPECT_EQ(three.transactions, four.transactions);
}

}  // namespace
}  // namespace tidemark::sim
