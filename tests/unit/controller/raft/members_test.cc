// Configurations: which may follow which, their bytes, which is in force.
#include "controller/raft/members.h"

#include <gtest/gtest.h>

#include <random>

#include "controller/raft/majority.h"

namespace tidemark::raft {
namespace {

Uuid Directory(uint8_t n) {
  Uuid directory;
  directory.bytes[15] = n;
  return directory;
}

Members Of(uint32_t voters, uint32_t learners = 0) {
  Members members;
  for (NodeId id = 0; id < 5; ++id) {
    const bool votes = voters >> id & 1;
    if (votes || (learners >> id & 1))
      members.Put({.id = id, .directory = Directory(id + 1), .votes = votes});
  }
  return members;
}

// Whether every majority of the one shares a voter with every one of the other.
bool Overlap(const Members& a, const Members& b) {
  auto wins = [](const Members& members, uint32_t set) {
    std::map<NodeId, bool> votes;
    for (NodeId id = 0; id < 5; ++id) votes[id] = set >> id & 1;
    return Majority(members.Voters()).Tally(votes) == VoteOutcome::kWon;
  };
  for (uint32_t x = 0; x < 32; ++x)
    for (uint32_t y = 0; y < 32; ++y)
      if ((x & y) == 0 && wins(a, x) && wins(b, y)) return false;
  return true;
}

// R-17, all pairs of configurations of five nodes: what CheckStep allows
// overlaps.
TEST(Members, ConsecutiveQuorumsOverlap) {
  int allowed = 0;
  for (uint32_t a = 1; a < 32; ++a) {
    for (uint32_t b = 1; b < 32; ++b) {
      const bool may = CheckStep(Of(a, ~a), Of(b, ~b)).has_value();
      // A voter that stays as a learner does not; gone it may.
      const bool gone = CheckStep(Of(a), Of(b)).has_value();
      if (may || gone) {
        EXPECT_TRUE(Overlap(Of(a), Of(b))) << a << " " << b;
      }
      EXPECT_EQ(gone, __builtin_popcount(a ^ b) <= 1) << a << " " << b;
      EXPECT_EQ(may, gone && (a & ~b) == 0) << a << " " << b;
      allowed += may;
    }
  }
  EXPECT_GT(allowed, 31);
}

TEST(Members, ADiskUnderAnIdDoesNotChange) {
  Members from = Of(0b111), to = from;
  to.Put({.id = 1, .directory = Directory(99)});
  EXPECT_FALSE(CheckStep(from, to));
  from.Put({.id = 1});  // not agreed on yet
  EXPECT_TRUE(CheckStep(from, to));
  EXPECT_FALSE(CheckStep(to, from));
}

TEST(Members, MalformedOnesAreRefused) {
  EXPECT_FALSE(Validate(Members()));
  EXPECT_FALSE(Validate(Of(0, 0b1)));
  Members twice = Of(0b1);
  twice.Put({.id = 7, .directory = Directory(1)});
  EXPECT_FALSE(Validate(twice));
  Members below = Of(0b1);
  below.Put({.id = -3});
  EXPECT_FALSE(Validate(below));
  Members host = Of(0b1);
  host.Put({.id = 7, .host = std::string(kMaxHostBytes + 1, 'h')});
  EXPECT_FALSE(Validate(host));
  Members many;
  for (NodeId id = 0; id <= static_cast<NodeId>(kMaxMembers); ++id)
    many.Put({.id = id});
  EXPECT_FALSE(Validate(many));
}

TEST(Members, BytesComeBackAsTheyWere) {
  Members members = Of(0b101, 0b010);
  members.Put({.id = 9,
               .directory = Directory(9),
               .votes = false,
               .host = "controller.example",
               .port = 9093});
  const std::string bytes = Encode(members);
  auto back = DecodeMembers(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(**back, members);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeMembers(bytes.substr(0, size))) << size;
  EXPECT_FALSE(DecodeMembers(bytes + "x"));
}

// From a network or a disk: any bytes, no crash, and what is taken is valid.
TEST(Members, AnyBytesAreSafe) {
  std::mt19937 random(7);
  const std::string good = Encode(Of(0b11011, 0b00100));
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (uint32_t n = random() % 4; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    auto members = DecodeMembers(bytes);
    if (members) {
      EXPECT_TRUE(Validate(**members));
    }
  }
}

TEST(MembersHistory, TheNewestIsInForceUntilItsEntryGoes) {
  auto make = [](uint32_t voters) {
    return std::make_shared<const Members>(Of(voters));
  };
  MembersHistory history(10, make(0b1));
  history.Add(15, make(0b11));
  history.Add(20, make(0b111));
  EXPECT_EQ(*history.current(), Of(0b111));
  EXPECT_EQ(history.index(), 20u);
  EXPECT_EQ(*history.At(19), Of(0b11));
  EXPECT_EQ(*history.At(15), Of(0b11));
  EXPECT_EQ(*history.At(14), Of(0b1));
  EXPECT_TRUE(history.VotesSince(19, 2, Directory(3)));
  EXPECT_FALSE(history.VotesSince(19, 2, Directory(4)));
  EXPECT_FALSE(history.VotesSince(25, 3, Directory(4)));
  history.TruncateFrom(20);
  EXPECT_EQ(history.index(), 15u);
  history.CompactTo(17);
  EXPECT_EQ(*history.At(17), Of(0b11));
  history.TruncateFrom(11);
  // What is compacted to is committed: it stays.
  EXPECT_EQ(*history.current(), Of(0b11));
}

}  // namespace
}  // namespace tidemark::raft
