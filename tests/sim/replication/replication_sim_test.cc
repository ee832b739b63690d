#include "tests/sim/replication/replication_sim.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace tidemark::replication {
namespace {

// TIDEMARK_SIM_SEED and TIDEMARK_SIM_SEEDS choose others.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ReplicationSim, HoldsForManySeeds) {
  FLAGS_minloglevel =
      static_cast<int>(FromEnvironment("TIDEMARK_SIM_LOG", google::ERROR));
  const uint64_t first = FromEnvironment("TIDEMARK_SIM_SEED", 1);
  const uint64_t count = FromEnvironment("TIDEMARK_SIM_SEEDS", 200);
  ReplicationSimResult total;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    ReplicationSimOptions options;
    options.seed = seed;
    const auto result = RunReplicationSim(options);
    ASSERT_FALSE(result.failure) << *result.failure;
    total.events += result.events;
    total.acknowledged += result.acknowledged;
    total.committed += result.committed;
    total.epochs += result.epochs;
  }
  std::cout << "events " << total.events << ", acknowledged "
            << total.acknowledged << ", committed " << total.committed
            << ", leader epochs " << total.epochs << "\n";
}

// Seeds that once found something.
TEST(ReplicationSim, HoldsForSeedsOfOldBugs) {
  FLAGS_minloglevel = google::ERROR;
  for (const uint64_t seed : {37, 861, 2156}) {
    ReplicationSimOptions options;
    options.seed = seed;
    const auto result = RunReplicationSim(options);
    EXPECT_FALSE(result.failure) << *result.failure;
  }
}

TEST(ReplicationSim, ASeedReplays) {
  FLAGS_minloglevel =
      static_cast<int>(FromEnvironment("TIDEMARK_SIM_LOG", google::ERROR));
  ReplicationSimOptions options;
  options.seed = 42;
  const auto one = RunReplicationSim(options);
  const auto two = RunReplicationSim(options);
  EXPECT_EQ(one.events, two.events);
  EXPECT_EQ(one.acknowledged, two.acknowledged);
  EXPECT_EQ(one.committed, two.committed);
}

}  // namespace
}  // namespace tidemark::replication
