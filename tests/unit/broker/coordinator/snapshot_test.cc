#include <gtest/gtest.h>

#include <random>

#include "broker/coordinator/runtime/coordinator.h"
#include "common/record/batch_builder.h"
#include "tests/unit/broker/coordinator/fakes.h"
#include "tests/unit/broker/coordinator/toy_machine.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::seconds;

using Toys = Coordinator<ToyMachine>;
using Values = std::map<std::string, std::string>;

// What the batches from the first that ends behind `start` say.
Values ReplayOf(const std::vector<std::string>& batches, Offset start = 0) {
  Values values;
  for (const std::string& batch : batches) {
    if (record::ParseBatchHeader(batch)->NextOffset() <= start) continue;
    EXPECT_TRUE(
        record::ForEachRecord(batch, [&](const record::Record& r) -> Status {
          values.erase(std::string(*r.key));
          if (r.value) values[std::string(*r.key)] = std::string(*r.value);
          return {};
        }));
  }
  return values;
}

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() { options.snapshots = {.min_bytes = 4'000, .dead_ratio = 2}; }

  void Lead() {
    toys = std::make_shared<Toys>(TopicPartition{"toys", 0}, replicas, options,
                                  ToyMachine(log));
    toys->Lead(++replicas.epoch);
    executor.RunReady();
  }
  void Put(const std::string& name, std::optional<std::string> value) {
    toys->Submit(ToyPut{{{name, std::move(value)}}}, [](const ToyResult&) {});
    executor.RunReady();
  }
  void PutMany(int count, int names, const std::string& value) {
    for (int i = 0; i < count; ++i) Put("n" + std::to_string(i % names), value);
  }
  std::string Get(const std::string& name) {
    return toys->Read(ToyGet{name}).value;
  }
  size_t LogBytes() const {
    size_t bytes = 0;
    for (const std::string& batch : replicas.batches) {
      if (record::ParseBatchHeader(batch)->NextOffset() > replicas.start) {
        bytes += batch.size();
      }
    }
    return bytes;
  }

  ManualExecutor executor;
  FakeReplicas replicas{executor};
  CoordinatorOptions options;
  ToyMachine::Log log;
  std::shared_ptr<Toys> toys;
};

TEST_F(SnapshotTest, ALogOfDeadRecordsIsTrimmedToWhatIsLive) {
  Lead();
  Put("kept", "1");
  Put("gone", "1");
  Put("gone", std::nullopt);
  PutMany(10'000, 5, "x");
  EXPECT_GT(replicas.start, 9'000);
  EXPECT_LT(LogBytes(), 10'000u);
  const Values expected = ReplayOf(replicas.batches);
  EXPECT_EQ(ReplayOf(replicas.batches, replicas.start), expected);
  EXPECT_FALSE(expected.contains("gone"));

  log.applied.clear();
  Lead();
  EXPECT_LT(log.applied.size(), 200u) << "a load is as short as the log";
  EXPECT_EQ(Get("kept"), "1");
  EXPECT_EQ(Get("gone"), "");
}

TEST_F(SnapshotTest, WhatIsLiveStaysAsItIsHoweverLarge) {
  Lead();
  const std::string value(200, 'x');
  for (int i = 0; i < 1'000; ++i) Put("n" + std::to_string(i), value);
  EXPECT_EQ(replicas.start, 0);
  EXPECT_GT(LogBytes(), 200'000u);
}

// A log that was left to grow is seen to by who loads it, idle or not.
TEST_F(SnapshotTest, ALoadedLogIsTrimmedToo) {
  options.snapshots.min_bytes = INT64_MAX;
  Lead();
  PutMany(1'000, 5, "x");
  ASSERT_EQ(replicas.start, 0);
  options.snapshots.min_bytes = 4'000;
  Lead();
  EXPECT_GE(replicas.start, 1'000);
  EXPECT_EQ(Get("n4"), "x");
}

TEST_F(SnapshotTest, WhereNothingLivesNothingIsLeft) {
  Lead();
  PutMany(1'000, 1, "x");
  Put("n0", std::nullopt);
  PutMany(0, 1, "");
  replicas.start = 0;
  Lead();
  EXPECT_EQ(replicas.start, replicas.EndOffset(replicas.batches.size()));
  Lead();
  EXPECT_EQ(toys->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Get("n0"), "");
}

TEST_F(SnapshotTest, WritesAndSlicesTakeTurns) {
  options.snapshots.min_bytes = INT64_MAX;
  Lead();
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 40; ++i) {  // half a megabyte is live: eight slices
      Put("n" + std::to_string(i), std::string(13'000, 'x'));
    }
  }
  options.snapshots.min_bytes = 4'000;
  replicas.auto_commit = false;
  Lead();
  const size_t first = replicas.batches.size();
  int answered = 0;
  int rounds = 0;
  for (; replicas.start == 0 && rounds < 100; ++rounds) {
    toys->Submit(ToyPut{{{"w", std::to_string(rounds)}}},
                 [&](const ToyResult&) { ++answered; });
    executor.RunReady();
    replicas.Commit();
    executor.RunReady();
  }
  EXPECT_GE(rounds, 8);
  EXPECT_LT(rounds, 20);
  EXPECT_GE(answered, rounds - 2) << "never behind more than one slice";
  for (size_t i = first - 1; i < replicas.batches.size(); ++i) {
    EXPECT_LT(replicas.batches[i].size(), 90'000u);
  }
}

TEST_F(SnapshotTest, NothingIsTrimmedBeforeAllOfItIsCommitted) {
  Lead();
  PutMany(50, 5, "x");
  ASSERT_EQ(replicas.start, 0);
  replicas.auto_commit = false;
  Offset trimmed_with = -1;
  for (int i = 0; i < 100 && replicas.start == 0; ++i) {
    Put("n" + std::to_string(i % 5), "y");
    replicas.Commit();
    executor.RunReady();
    trimmed_with = replicas.EndOffset(replicas.committed);
    EXPECT_EQ(ReplayOf({replicas.batches.begin(),
                        replicas.batches.begin() +
                            static_cast<int64_t>(replicas.committed)},
                       replicas.start),
              ReplayOf({replicas.batches.begin(),
                        replicas.batches.begin() +
                            static_cast<int64_t>(replicas.committed)}));
  }
  EXPECT_GT(replicas.start, 0);
  EXPECT_GE(trimmed_with, replicas.start + 5);
}

TEST_F(SnapshotTest, ARefusedSnapshotIsLeftForLater) {
  Lead();
  PutMany(1'000, 5, "x");
  const Offset start = replicas.start;
  ASSERT_GT(start, 0);
  options.snapshots.dead_ratio = 1;
  Lead();
  replicas.refuse_larger_than = 100;  // a slice of five, but not a put
  PutMany(200, 5, "x");
  const int refused = replicas.refused;
  EXPECT_GT(refused, 0);
  EXPECT_EQ(replicas.start, start);
  EXPECT_EQ(toys->Availability(), ErrorCode::kNone);
  PutMany(100, 5, "x");
  EXPECT_EQ(replicas.refused, refused) << "not with every write";
  replicas.refuse_larger_than = 0;
  executor.Advance(seconds(11));
  PutMany(1, 1, "x");
  EXPECT_GT(replicas.start, start);
}

TEST_F(SnapshotTest, AnUnknownOutcomeEndsItAndTheNextOneFinishesIt) {
  Lead();
  replicas.auto_commit = false;
  int i = 0;
  while (replicas.appends == replicas.commits) {  // until a slice is appended
    ASSERT_LT(i, 1'000);
    Put("n" + std::to_string(i++ % 5), "x");
    replicas.Commit();
    executor.RunReady();
  }
  replicas.FailWaiting(ErrorCode::kRequestTimedOut);
  executor.RunReady();
  EXPECT_EQ(replicas.start, 0);
  replicas.auto_commit = true;
  replicas.Commit();
  executor.Advance(seconds(1));
  ASSERT_EQ(toys->Availability(), ErrorCode::kNone);
  const Values before = ReplayOf(replicas.batches);
  PutMany(400, 5, "x");
  EXPECT_GT(replicas.start, 0);
  EXPECT_EQ(before.size(), ReplayOf(replicas.batches, replicas.start).size());
}

// The records of a newer version are not ours to drop.
TEST_F(SnapshotTest, KindsThatOnlyANewerVersionKnowsAreKept) {
  Lead();
  record::BatchBuilder newer;
  newer.Add(1, "new:a", "1").Add(1, "new:b", "1").Add(1, "new:c", "1");
  newer.Add(1, "new:b", "2").Add(1, "new:c", std::nullopt);
  replicas.AppendCommitted({}, replicas.epoch, SharedBytes(newer.Build()), {},
                           seconds(1), executor, [](auto) {});
  Lead();
  PutMany(1'000, 5, "x");
  ASSERT_GT(replicas.start, 5);
  const Values left = ReplayOf(replicas.batches, replicas.start);
  EXPECT_EQ(left.at("new:a"), "1");
  EXPECT_EQ(left.at("new:b"), "2");
  EXPECT_FALSE(left.contains("new:c"));
}

// What they wrote is in the log, but not in the state.
TEST_F(SnapshotTest, WhereOthersWriteNothingIsTrimmedUntilItIsLoaded) {
  Lead();
  record::BatchBuilder stranger;
  stranger.Add(1, "theirs", "1");
  replicas.AppendCommitted({}, replicas.epoch, SharedBytes(stranger.Build()),
                           {}, seconds(1), executor, [](auto) {});
  PutMany(1'000, 5, "x");
  EXPECT_EQ(replicas.start, 0);
  Lead();
  EXPECT_GT(replicas.start, 0);
  EXPECT_EQ(Get("theirs"), "1");
  EXPECT_EQ(ReplayOf(replicas.batches, replicas.start).at("theirs"), "1");
}

TEST_F(SnapshotTest, AnEstimateThatIsFarOffDoesNotWriteTheSameForEver) {
  log.live_bytes_off_by = SIZE_MAX;
  Lead();
  for (int i = 0; i < 1'000; ++i) Put("n" + std::to_string(i), "x");
  size_t bytes = 0;
  for (const std::string& batch : replicas.batches) bytes += batch.size();
  EXPECT_LT(bytes, 1'000u * 80 * 4);
}

TEST_F(SnapshotTest, ATrimThatTheLogRefusesIsLeftForLater) {
  Lead();
  replicas.refuse_trims = true;
  PutMany(1'000, 5, "x");
  EXPECT_EQ(replicas.start, 0);
  EXPECT_EQ(replicas.trims, 1);
  replicas.refuse_trims = false;
  executor.Advance(seconds(11));
  PutMany(1, 1, "x");
  EXPECT_GT(replicas.start, 0);
}

// Of a write that is larger than a batch a part is in the log, but none of it
// in the state.
TEST_F(SnapshotTest, AWriteThatIsThereInPartComesFirst) {
  Lead();
  Put("a", "old");
  PutMany(50, 5, "x");
  ASSERT_EQ(replicas.start, 0);
  replicas.auto_commit = false;
  const std::string large(400'000, 'x');
  toys->Submit(ToyPut{{{"a", large}, {"b", large}, {"c", large}}},
               [](const ToyResult&) {});
  for (int i = 0; i < 20; ++i) {
    replicas.Commit();
    executor.RunReady();
  }
  EXPECT_EQ(Get("a"), large);
  EXPECT_EQ(ReplayOf(replicas.batches).at("a"), large);
  replicas.auto_commit = true;
  PutMany(40'000, 5, "x");
  EXPECT_GT(replicas.start, 0);
  EXPECT_EQ(ReplayOf(replicas.batches, replicas.start).at("a"), large);
}

// Whatever is killed, cut off, resigned or elected, and wherever in a
// snapshot: every log that a leader may come to have says the same.
TEST_F(SnapshotTest, EveryLogThatMayLeadSaysWhatWasAcknowledged) {
  int snapshots = 0;
  int deletions = 0;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return random() % n; };
    replicas.~FakeReplicas();
    new (&replicas) FakeReplicas(executor);
    options.snapshots = {.min_bytes = 1'000, .dead_ratio = 1};
    Lead();
    // All that was asked for, in order, and how much of it is acknowledged.
    std::map<std::string, std::vector<std::string>> asked;
    std::map<std::string, size_t> known;
    std::vector<Offset> starts{0};  // that a replica may still have
    int value = 0;
    for (int step = 0; step < 300; ++step) {
      replicas.auto_commit = below(3) == 0;
      const std::string name =
          "n" + std::to_string(below(4)) + std::string(below(2) * 200, 'x');
      switch (below(12)) {
        case 0: {  // the leader dies; what is not committed may be lost
          const size_t left =
              replicas.committed +
              below(1 + static_cast<unsigned>(replicas.batches.size() -
                                              replicas.committed));
          replicas.Abandon();
          replicas.batches.resize(left);
          replicas.committed = left;
          if (below(2) == 0) {  // its successor has not trimmed yet
            replicas.start =
                starts[below(static_cast<unsigned>(starts.size()))];
          }
          Lead();
          replicas.Commit();
          executor.Advance(seconds(1));
          ASSERT_EQ(toys->Availability(), ErrorCode::kNone);
          break;
        }
        case 1:
          replicas.FailWaiting(ErrorCode::kRequestTimedOut);
          executor.RunReady();
          replicas.Commit();
          executor.Advance(seconds(1));
          break;
        case 2:
        case 3:
        case 4:
          replicas.Commit();
          executor.RunReady();
          break;
        default: {
          std::optional<std::string> next;
          if (below(4) == 0) {
            ++deletions;
          } else {
            next = std::to_string(++value);
          }
          asked[name].push_back(next.value_or(""));
          toys->Submit(
              ToyPut{{{name, next}}},
              [&known, name, number = asked[name].size()](const auto& result) {
                if (result.error == ErrorCode::kNone) known[name] = number;
              });
          executor.RunReady();
        }
      }
      if (replicas.start > starts.back()) {
        ++snapshots;
        starts.push_back(replicas.start);
      }
      // The newest of what is acknowledged, or something newer.
      const std::vector<std::string> committed(
          replicas.batches.begin(),
          replicas.batches.begin() + static_cast<int64_t>(replicas.committed));
      const Values whole = ReplayOf(committed, 0);
      for (const auto& [n, number] : known) {
        const auto it = whole.find(n);
        const std::string said = it == whole.end() ? "" : it->second;
        const auto& all = asked[n];
        ASSERT_NE(std::find(all.begin() + static_cast<int64_t>(number) - 1,
                            all.end(), said),
                  all.end())
            << "step " << step << " " << n << "=" << said;
      }
      for (size_t i = starts.size() - std::min<size_t>(starts.size(), 3);
           i < starts.size(); ++i) {
        const Offset start = starts[i];
        ASSERT_EQ(ReplayOf(committed, start), whole)
            << "step " << step << " start " << start;
      }
      for (size_t end = replicas.committed; end < replicas.batches.size();
           ++end) {
        const std::vector<std::string> cut(
            replicas.batches.begin(),
            replicas.batches.begin() + static_cast<int64_t>(end + 1));
        ASSERT_EQ(ReplayOf(cut, replicas.start), ReplayOf(cut, 0));
      }
    }
  }
  EXPECT_GT(snapshots, 1'000);
  EXPECT_GT(deletions, 1'000);
}

}  // namespace
}  // namespace tidemark::coordinator
