#include "controller/raft/log.h"

#include <gtest/gtest.h>

namespace tidemark::raft {
namespace {

// A log with entries 1..n of the given terms, all durable.
Log MakeLog(const std::vector<Term>& terms, LogPosition base = {}) {
  Stored stored;
  stored.base = stored.snapshot = base;
  LogIndex index = base.index;
  for (Term term : terms) stored.entries.push_back({++index, term, {}});
  return Log(std::move(stored));
}

std::vector<Entry> Entries(LogIndex from, const std::vector<Term>& terms) {
  std::vector<Entry> entries;
  for (Term term : terms) entries.push_back({from++, term, {}});
  return entries;
}

TEST(Log, MayVoteTable) {
  const Log log = MakeLog({1, 2, 2});
  struct Case {
    const char* name;
    LogPosition candidate;
    bool may;
  } cases[] = {
      {"Same", {3, 2}, true},
      {"LongerSameTerm", {4, 2}, true},
      {"ShorterSameTerm", {2, 2}, false},
      {"LongerOlderTerm", {9, 1}, false},
      {"ShorterNewerTerm", {1, 3}, true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(log.MayVoteFor(c.candidate), c.may) << c.name;
}

TEST(Log, MergeKeepsWhatMatches) {
  Log log = MakeLog({1, 1, 1, 1});
  EXPECT_TRUE(log.Merge(Entries(2, {1, 1})));
  EXPECT_EQ(log.last_index(), 4u);
  EXPECT_EQ(log.durable(), 4u);
}

TEST(Log, MergeCutsFromTheFirstConflict) {
  Log log = MakeLog({1, 1, 1, 1});
  EXPECT_TRUE(log.Merge(Entries(2, {1, 2})));
  EXPECT_EQ(log.last(), (LogPosition{3, 2}));
  EXPECT_EQ(log.durable(), 2u);
  EXPECT_EQ(log.TakeUnwritten(log.last_index()).size(), 1u);
}

TEST(Log, MergeRefusesToCutWhatIsCommitted) {
  Log log = MakeLog({1, 1, 1});
  log.CommitTo(2);
  EXPECT_FALSE(log.Merge(Entries(2, {2, 2})));
  EXPECT_EQ(log.last(), (LogPosition{3, 1}));
}

TEST(Log, MergeSkipsWhatIsCompacted) {
  Log log = MakeLog({3, 3}, {10, 3});
  EXPECT_TRUE(log.Merge(Entries(8, {1, 3, 3, 3, 3, 3})));
  EXPECT_EQ(log.last_index(), 13u);
}

// entry 2 is written, overwritten and written again; the ends of the
// first two writes say nothing about the third one's entry.
TEST(Log, AnEarlierWriteOfAnOverwrittenEntryMakesNothingDurable) {
  Log log = MakeLog({1});
  log.Merge(Entries(2, {1}));
  log.TakeUnwritten(log.last_index());
  log.BeginWrite(1);
  log.Merge(Entries(2, {2}));
  log.TakeUnwritten(log.last_index());
  log.BeginWrite(2);
  // A leader of a later term has the first entry after all.
  log.Merge(Entries(2, {1}));
  log.TakeUnwritten(log.last_index());
  log.BeginWrite(3);
  log.EndWrite(1);
  EXPECT_EQ(log.durable(), 1u);
  log.EndWrite(2);
  EXPECT_EQ(log.durable(), 1u);
  log.EndWrite(3);
  EXPECT_EQ(log.durable(), 2u);
}

TEST(Log, AppliesOnlyWhatIsDurable) {
  Log log = MakeLog({1});
  log.Append(1, SharedBytes("a"));
  log.CommitTo(2);
  EXPECT_EQ(log.TakeCommitted(1000).size(), 1u);
  log.TakeUnwritten(log.last_index());
  log.BeginWrite(1);
  EXPECT_TRUE(log.TakeCommitted(1000).empty());
  log.EndWrite(1);
  EXPECT_EQ(log.TakeCommitted(1000).size(), 1u);
}

TEST(Log, ConflictHintTable) {
  const Log log = MakeLog({1, 1, 2, 5, 5});
  struct Case {
    const char* name;
    LogIndex index;
    Term term;
    LogPosition hint;
  } cases[] = {
      {"BeyondTheEnd", 9, 5, {5, 5}},
      {"SkipsTheNewerTerm", 5, 4, {3, 2}},
      {"SkipsToTheOldest", 5, 1, {2, 1}},
      {"NothingIsOldEnough", 5, 0, {0, 0}},
  };
  for (const Case& c : cases)
    EXPECT_EQ(log.ConflictHint(c.index, c.term), c.hint) << c.name;
}

TEST(Log, CompactionKeepsTermsAndTheRest) {
  Log log = MakeLog({1, 2, 3});
  log.CommitTo(3);
  log.TakeCommitted(1000);
  log.CompactTo(2);
  EXPECT_EQ(log.base(), (LogPosition{2, 2}));
  EXPECT_EQ(log.TermAt(2), 2u);
  EXPECT_EQ(log.TermAt(1), std::nullopt);
  EXPECT_EQ(log.last(), (LogPosition{3, 3}));
}

TEST(Log, RestoreForgetsWhatWritesInFlightPromised) {
  Log log = MakeLog({1, 1});
  log.Append(1, {});
  log.TakeUnwritten(log.last_index());
  log.BeginWrite(1);
  log.Restore({9, 2}, nullptr);
  log.BeginWrite(2);
  log.EndWrite(1);
  EXPECT_EQ(log.durable(), 0u);
  log.EndWrite(2);
  EXPECT_EQ(log.durable(), 9u);
}

TEST(Log, SliceGivesAtLeastOneEntry) {
  Log log = MakeLog({1});
  log.Append(1, SharedBytes(std::string(100, 'x')));
  log.Append(1, SharedBytes(std::string(100, 'x')));
  EXPECT_EQ(log.Slice(2, 3, 1).size(), 1u);
  EXPECT_EQ(log.Slice(2, 3, 200).size(), 2u);
  EXPECT_TRUE(log.Slice(4, 3, 200).empty());
}

}  // namespace
}  // namespace tidemark::raft
