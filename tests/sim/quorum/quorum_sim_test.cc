#include "tests/sim/quorum/quorum_sim.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

namespace tidemark::sim {
namespace {

// TIDEMARK_SIM_SEEDS=from,count runs others than the usual ones.
QuorumSimResult RunSeeds(int nodes, uint64_t count, bool changes = false) {
  uint64_t from = 1;
  if (const char* text = std::getenv("TIDEMARK_SIM_SEEDS")) {
    from = std::strtoull(text, nullptr, 10);
    if (const char* comma = std::strchr(text, ','))
      count = std::strtoull(comma + 1, nullptr, 10);
  }
  QuorumSimResult sum;
  for (uint64_t seed = from; seed < from + count; ++seed) {
    const auto result =
        RunQuorumSim({.seed = seed, .nodes = nodes, .changes = changes});
    EXPECT_EQ(result.failure.value_or(""), "");
    if (result.failure) break;
    sum.events += result.events;
    sum.elections += result.elections;
    sum.committed += result.committed;
    sum.reads += result.reads;
    sum.snapshots += result.snapshots;
    sum.transfers += result.transfers;
    sum.changes += result.changes;
    sum.wiped += result.wiped;
    sum.given_up += result.given_up;
    sum.proposals += result.proposals;
    sum.virtual_ms += result.virtual_ms;
  }
  std::cout << nodes << " nodes: " << count << " seeds, " << sum.events
            << " events, " << sum.virtual_ms / 1000 << " virtual s, "
            << sum.elections << " elections, " << sum.committed << " entries, "
            << sum.reads << " reads, " << sum.snapshots << " snapshots, "
            << sum.transfers << " transfers, " << sum.changes
            << " changes of members, " << sum.wiped << " disks lost, "
            << sum.given_up << " given up\n";
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(sum.elections, count);
  EXPECT_GT(sum.committed, 50 * count);
  EXPECT_GT(sum.reads, count);
  EXPECT_GT(sum.snapshots, count / 10);
  EXPECT_GT(sum.transfers, nodes > 1 ? count / 4 : 0);
  return sum;
}

TEST(QuorumSim, OneNode) { RunSeeds(1, 20); }
TEST(QuorumSim, TwoNodes) { RunSeeds(2, 40); }
TEST(QuorumSim, ThreeNodes) { RunSeeds(3, 120); }
TEST(QuorumSim, FourNodes) { RunSeeds(4, 40); }
TEST(QuorumSim, FiveNodes) { RunSeeds(5, 80); }
TEST(QuorumSim, SevenNodes) { RunSeeds(7, 30); }

// F21, R-17, R-18: one, two, three and five nodes and two more to come and go,
// with disks that are lost and replaced under the same id.
TEST(QuorumSim, MembersComeAndGo) {
  for (int nodes : {1, 2, 3, 5}) {
    const auto sum = RunSeeds(nodes, 60, /*changes=*/true);
    EXPECT_GT(sum.changes, 60u * 3);
    EXPECT_GT(sum.wiped, 60u / 2);
  }
}

TEST(QuorumSim, SeedReplaysExactly) {
  const QuorumSimOptions options{.seed = 42, .nodes = 5};
  const auto first = RunQuorumSim(options);
  const auto second = RunQuorumSim(options);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.events, second.events);
  EXPECT_NE(first.digest, RunQuorumSim({.seed = 43, .nodes = 5}).digest);
}

// whatever becomes of a minority, the others go on meanwhile.
void MajorityGoesOn(QuorumFaults kind, const std::vector<int>& nodes) {
  for (int count : nodes) {
    uint64_t stalls = 0, longest = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      const auto result = RunQuorumSim(
          {.seed = seed, .nodes = count, .faults = 5, .kind = kind});
      ASSERT_EQ(result.failure.value_or(""), "");
      stalls += result.stalls;
      longest = std::max(longest, result.longest_stall_ms);
    }
    EXPECT_GE(stalls, 95u);
    std::cout << count << " nodes: " << stalls << " stalls, the longest "
              << longest << " ms\n";
  }
}

// F14: the leader's disk stands still for 5 to 60 s, fails nothing and breaks
// no connection.
TEST(QuorumSim, HungDiskOfTheLeaderDoesNotStopTheOthers) {
  MajorityGoesOn(QuorumFaults::kHungLeader, {3, 5});
}

TEST(QuorumSim, AMinorityThatIsCutOffDoesNotStopTheOthers) {
  MajorityGoesOn(QuorumFaults::kCutMinority, {3, 4, 5, 7});
}

// The checkers notice a disk that acknowledges before it has synced.
TEST(QuorumSim, LyingDiskIsNoticed) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const auto result =
        RunQuorumSim({.seed = seed, .nodes = 3, .disk_lies = true});
    EXPECT_TRUE(result.failure) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidemark::sim
