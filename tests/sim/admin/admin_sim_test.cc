#include "tests/sim/admin/admin_sim.h"

#include <gtest/gtest.h>

#include <iostream>
#include <vector>

#include "tests/sim/admin/linearizable.h"

namespace tidemark::sim {
namespace {

using Kind = AdminOp::Kind;

AdminOp Op(Kind kind, uint64_t begun, uint64_t ended, int partitions = 0,
           ErrorCode code = ErrorCode::kNone) {
  return {kind, partitions, "", begun, ended, code};
}

// The checker itself: what may be, and what may not.
TEST(AdminModel, TellsAnOrderFromNone) {
  constexpr auto kThere = ErrorCode::kTopicAlreadyExists;
  constexpr auto kGone = ErrorCode::kUnknownTopicOrPartition;
  const auto create = Op(Kind::kCreate, 10, 20, 3);
  EXPECT_TRUE(IsLinearizable({create, Op(Kind::kPartitions, 30, 40, 3)}));
  EXPECT_FALSE(IsLinearizable({create, Op(Kind::kPartitions, 30, 40, 2)}));
  // A stale read; the same one while the creation was under way is none.
  EXPECT_FALSE(
      IsLinearizable({create, Op(Kind::kPartitions, 30, 40, 0, kGone)}));
  EXPECT_TRUE(
      IsLinearizable({create, Op(Kind::kPartitions, 15, 40, 0, kGone)}));
  // Done twice, or told that it was when it was not.
  EXPECT_FALSE(IsLinearizable({Op(Kind::kCreate, 10, 20, 3, kThere)}));
  EXPECT_FALSE(IsLinearizable(
      {create, Op(Kind::kDelete, 30, 40), Op(Kind::kDelete, 50, 60)}));
  EXPECT_TRUE(IsLinearizable({create, Op(Kind::kDelete, 30, 40),
                              Op(Kind::kDelete, 50, 60, 0, kGone)}));
  EXPECT_FALSE(IsLinearizable(
      {create, Op(Kind::kGrow, 30, 40, 5), Op(Kind::kGrow, 50, 60, 5)}));
  // Nobody knows what became of it: late, or never, but not before.
  const auto unknown = Op(Kind::kDelete, 30, AdminOp::kNever);
  EXPECT_TRUE(IsLinearizable({create, unknown, Op(Kind::kPartitions, 50, 60, 3),
                              Op(Kind::kPartitions, 70, 80, 0, kGone)}));
  EXPECT_TRUE(
      IsLinearizable({create, unknown, Op(Kind::kPartitions, 50, 60, 3)}));
  EXPECT_FALSE(IsLinearizable(
      {create, unknown, Op(Kind::kPartitions, 25, 28, 0, kGone)}));
  EXPECT_FALSE(
      IsLinearizable({create, unknown, Op(Kind::kPartitions, 50, 60, 0, kGone),
                      Op(Kind::kPartitions, 70, 80, 3)}));
}

TEST(AdminModel, KnowsMoves) {
  constexpr auto kNone = ErrorCode::kNoReassignmentInProgress;
  const auto create = Op(Kind::kCreate, 10, 20, 3);
  const auto with = [](AdminOp op, const char* value) {
    op.value = value;
    return op;
  };
  const auto read = [&](uint64_t at, const char* value) {
    return with(Op(Kind::kReplicas, at, at + 5), value);
  };
  const auto move = with(Op(Kind::kMove, 30, 40), "101");
  const auto other = with(Op(Kind::kMove, 50, 60), "102,100");
  const auto cancel = Op(Kind::kCancel, 70, 80);
  EXPECT_TRUE(
      IsLinearizable({create, read(25, "100"), move, read(45, "101,100"), other,
                      read(65, "102,100"), cancel, read(90, "100")}));
  EXPECT_FALSE(IsLinearizable({create, move, other, read(65, "102,101,100")}));
  EXPECT_FALSE(IsLinearizable({create, move, cancel, read(90, "101,100")}));
  EXPECT_FALSE(IsLinearizable({create, cancel}));
  EXPECT_TRUE(IsLinearizable({create, Op(Kind::kCancel, 70, 80, 0, kNone)}));
  EXPECT_FALSE(
      IsLinearizable({create, move, Op(Kind::kCancel, 70, 80, 0, kNone)}));
  EXPECT_FALSE(
      IsLinearizable({create, with(Op(Kind::kMove, 30, 40), "100,109")}));
}

void RunSeeds(int nodes, uint64_t count) {
  AdminSimResult sum;
  for (uint64_t seed = 1; seed <= count; ++seed) {
    const auto result = RunAdminSim({.seed = seed, .nodes = nodes});
    ASSERT_EQ(result.failure.value_or(""), "");
    sum.events += result.events;
    sum.answered += result.answered;
    sum.unknown += result.unknown;
    sum.again += result.again;
    sum.leaders += result.leaders;
  }
  std::cout << nodes << " nodes: " << count << " seeds, " << sum.events
            << " events, " << sum.answered << " operations answered, "
            << sum.unknown << " of unknown outcome, " << sum.again
            << " asked again, " << sum.leaders << " times another led\n";
  EXPECT_GT(sum.answered, 50 * count);
  EXPECT_GT(sum.again, count);
  EXPECT_GT(sum.leaders, 2 * count);
}

TEST(AdminSim, ThreeNodes) { RunSeeds(3, 300); }
TEST(AdminSim, FiveNodes) { RunSeeds(5, 100); }
TEST(AdminSim, OneNode) { RunSeeds(1, 50); }

TEST(AdminSim, SeedReplaysExactly) {
  const auto first = RunAdminSim({.seed = 7});
  EXPECT_EQ(first.digest, RunAdminSim({.seed = 7}).digest);
  EXPECT_NE(first.digest, RunAdminSim({.seed = 8}).digest);
}

}  // namespace
}  // namespace tidemark::sim
