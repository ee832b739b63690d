#include "controller/raft/majority.h"

#include <gtest/gtest.h>

#include <random>

namespace tidemark::raft {
namespace {

struct CommitCase {
  const char* name;
  std::set<NodeId> voters;
  std::map<NodeId, LogIndex> acked;
  LogIndex committed;
};

const CommitCase kCommitCases[] = {
    {"NobodyNeverCommits", {}, {{1, 9}}, 0},
    {"OneDecidesAlone", {1}, {{1, 12}}, 12},
    {"OneThatIsSilent", {1}, {}, 0},
    {"TwoNeedBoth", {1, 2}, {{1, 12}, {2, 5}}, 5},
    {"TwoWithOneSilent", {1, 2}, {{1, 12}}, 0},
    {"TwoOfThreeSufficeTheSlowerDecides", {1, 2, 3}, {{1, 12}, {2, 5}}, 5},
    {"OneOfThreeDoesNot", {1, 2, 3}, {{1, 12}}, 0},
    {"MiddleOfThree", {1, 2, 3}, {{1, 3}, {2, 9}, {3, 7}}, 7},
    {"ThreeOfFour", {1, 2, 3, 4}, {{1, 9}, {2, 9}, {3, 2}}, 2},
    {"HalfOfFourIsNoMajority", {1, 2, 3, 4}, {{1, 9}, {2, 9}}, 0},
    {"MiddleOfFive",
     {1, 2, 3, 4, 5},
     {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}},
     3},
    {"StrangersDoNotCount", {1, 2, 3}, {{1, 5}, {8, 5}, {9, 5}}, 0},
};

TEST(Majority, CommittedIndexTable) {
  for (const CommitCase& c : kCommitCases)
    EXPECT_EQ(Majority(c.voters).CommittedIndex(c.acked), c.committed)
        << c.name;
}

struct TallyCase {
  const char* name;
  std::set<NodeId> voters;
  std::map<NodeId, bool> votes;
  VoteOutcome outcome;
};

const TallyCase kTallyCases[] = {
    {"NobodyNeverWins", {}, {}, VoteOutcome::kLost},
    {"OwnVoteOfOne", {1}, {{1, true}}, VoteOutcome::kWon},
    {"OneOfThree", {1, 2, 3}, {{1, true}}, VoteOutcome::kPending},
    {"TwoOfThree", {1, 2, 3}, {{1, true}, {2, true}}, VoteOutcome::kWon},
    {"OneRefusesOneOpen",
     {1, 2, 3},
     {{1, true}, {2, false}},
     VoteOutcome::kPending},
    {"TwoOfThreeRefuse",
     {1, 2, 3},
     {{1, true}, {2, false}, {3, false}},
     VoteOutcome::kLost},
    {"HalfOfFourIsOpen",
     {1, 2, 3, 4},
     {{1, true}, {2, true}, {3, false}},
     VoteOutcome::kPending},
    {"HalfOfFourRefused",
     {1, 2, 3, 4},
     {{1, true}, {2, false}, {3, false}},
     VoteOutcome::kLost},
    {"StrangersDoNotVote",
     {1, 2, 3},
     {{1, true}, {8, true}, {9, true}},
     VoteOutcome::kPending},
};

TEST(Majority, TallyTable) {
  for (const TallyCase& c : kTallyCases)
    EXPECT_EQ(Majority(c.voters).Tally(c.votes), c.outcome) << c.name;
}

// The definition, word by word: some majority has acknowledged it.
LogIndex NaiveCommitted(const std::set<NodeId>& voters,
                        const std::map<NodeId, LogIndex>& acked) {
  for (LogIndex index = 20; index > 0; --index) {
    size_t have = 0;
    for (NodeId voter : voters) {
      auto it = acked.find(voter);
      if (it != acked.end() && it->second >= index) ++have;
    }
    if (have > voters.size() / 2) return index;
  }
  return 0;
}

TEST(Majority, AgreesWithTheNaiveDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::set<NodeId> voters;
    std::map<NodeId, LogIndex> acked;
    for (NodeId id = 1; id <= 7; ++id) {
      if (random() % 2) voters.insert(id);
      if (random() % 3) acked[id] = random() % 20;
    }
    ASSERT_EQ(Majority(voters).CommittedIndex(acked),
              NaiveCommitted(voters, acked));
  }
}

}  // namespace
}  // namespace tidemark::raft
