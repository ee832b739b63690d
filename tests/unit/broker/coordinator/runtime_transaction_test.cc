#include <gtest/gtest.h>

#include <random>

#include "broker/coordinator/runtime/coordinator.h"
#include "broker/coordinator/runtime/written_at.h"
#include "common/record/batch_builder.h"
#include "common/record/control_record.h"
#include "tests/unit/broker/coordinator/fakes.h"
#include "tests/unit/broker/coordinator/toy_machine.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::seconds;

using Toys = Coordinator<ToyMachine>;
using Values = std::map<std::string, std::string>;

constexpr Producer kSeven{7, 2};
constexpr Producer kEight{8, 0};

// What batches say: values, and what open transactions may yet make of them.
struct Said {
  Values values;
  std::map<ProducerId, Values> open;
  // Where what there is was written: of values, and of what is open.
  std::map<std::string, Offset> at;
  std::map<std::pair<ProducerId, std::string>, Offset> open_at;
  bool operator==(const Said& other) const {
    return values == other.values && open == other.open;
  }
};

void Replay(const record::BatchHeader& header, const record::Record& r,
            Said* said) {
  const ProducerId producer = header.producer_id;
  if (header.IsControl()) {
    const auto marker = record::ParseTransactionMarker(*r.key, *r.value);
    ASSERT_TRUE(marker);
    if (marker->type == record::ControlRecordType::kCommit) {
      for (const auto& [name, value] : said->open[producer]) {
        const Offset at = said->open_at[{producer, name}];
        if (said->values.contains(name) && said->at[name] > at) continue;
        said->values[name] = value;
        said->at[name] = at;
      }
    }
    said->open.erase(producer);
    return;
  }
  const std::string name(*r.key);
  if (!r.value) {
    said->values.erase(name);
    for (auto& [unused, values] : said->open) values.erase(name);
    std::erase_if(said->open, [](const auto& o) { return o.second.empty(); });
  } else if (header.IsTransactional()) {
    said->open[producer][name] = std::string(*r.value);
    said->open_at[{producer, name}] = r.offset;
  } else {
    said->values[name] = std::string(*r.value);
    said->at[name] = WrittenAt(r);
  }
}

// By the records at `start` and behind.
Said SaidBy(const std::vector<std::string>& batches, Offset start = 0) {
  Said said;
  for (const std::string& batch : batches) {
    EXPECT_TRUE(
        record::ForEachRecord(batch, [&](const record::Record& r) -> Status {
          if (r.offset >= start) {
            Replay(*record::ParseBatchHeader(batch), r, &said);
          }
          return {};
        }));
  }
  return said;
}

class RuntimeTransactionTest : public testing::Test {
 protected:
  using Answered = std::shared_ptr<std::optional<ErrorCode>>;

  void Lead() {
    toys = std::make_shared<Toys>(TopicPartition{"toys", 0}, replicas, options,
                                  ToyMachine(log));
    toys->Lead(++replicas.epoch);
    executor.RunReady();
  }
  Answered Put(const std::string& name, std::optional<std::string> value,
               std::optional<Producer> producer = std::nullopt) {
    auto answered = std::make_shared<std::optional<ErrorCode>>();
    toys->Submit(
        ToyPut{.records = {{name, std::move(value)}}, .producer = producer},
        [answered](const ToyResult& result) {
          EXPECT_FALSE(answered->has_value()) << "answered twice";
          *answered = result.error;
        });
    executor.RunReady();
    return answered;
  }
  Answered End(const Producer& producer, bool committed,
               int32_t coordinator_epoch = 5, int8_t version = 0) {
    auto answered = std::make_shared<std::optional<ErrorCode>>();
    toys->EndTransaction(
        {producer.id, producer.epoch, committed, coordinator_epoch, version},
        [answered](ErrorCode error) {
          EXPECT_FALSE(answered->has_value()) << "answered twice";
          *answered = error;
        });
    executor.RunReady();
    return answered;
  }
  std::string Get(const std::string& name) {
    const ToyResult result = toys->Read(ToyGet{name});
    EXPECT_EQ(result.error, ErrorCode::kNone);
    return result.value;
  }
  void CommitOne() {
    replicas.Commit();
    executor.RunReady();
  }
  void Settle() {
    for (int i = 0; i < 100; ++i) CommitOne();
  }

  ManualExecutor executor;
  FakeReplicas replicas{executor};
  CoordinatorOptions options;
  ToyMachine::Log log;
  std::shared_ptr<Toys> toys;
};

TEST_F(RuntimeTransactionTest, EachProducerAndEachMarkerHasItsOwnBatch) {
  Lead();
  replicas.auto_commit = false;
  Put("first", "1");
  Put("a", "1", kSeven);
  Put("b", "1", kSeven);
  Put("c", "1", kEight);
  Put("d", "1");
  Put("e", "1", kSeven);
  End(kSeven, true, 9);
  End(kEight, false);
  Put("f", "1", kSeven);
  Settle();
  ASSERT_EQ(replicas.batches.size(), 8u);
  const auto header = [&](size_t i) {
    return *record::ParseBatchHeader(replicas.batches[i]);
  };
  EXPECT_FALSE(header(0).IsTransactional());
  EXPECT_EQ(header(1).record_count, 2);
  for (const size_t i : {size_t{1}, size_t{4}, size_t{5}, size_t{7}}) {
    EXPECT_TRUE(header(i).IsTransactional()) << i;
    EXPECT_EQ(header(i).producer_id, 7) << i;
    EXPECT_EQ(header(i).producer_epoch, 2) << i;
    EXPECT_EQ(header(i).base_sequence, record::kNoSequence) << i;
    EXPECT_EQ(header(i).IsControl(), i == 5) << i;
  }
  EXPECT_EQ(header(2).producer_id, 8);
  EXPECT_FALSE(header(3).IsTransactional());
  EXPECT_EQ(header(3).producer_id, record::kNoProducerId);
  EXPECT_EQ(header(5).record_count, 1);
  EXPECT_TRUE(record::ForEachRecord(
      replicas.batches[5], [&](const record::Record& r) -> Status {
        const auto marker = record::ParseTransactionMarker(*r.key, *r.value);
        EXPECT_TRUE(marker);
        EXPECT_EQ(marker->type, record::ControlRecordType::kCommit);
        EXPECT_EQ(marker->coordinator_epoch, 9);
        return {};
      }));
  EXPECT_TRUE(header(6).IsControl());
}

// The machine hears the same of a write as of what it loads.
TEST_F(RuntimeTransactionTest, WhatIsWrittenIsAppliedAsItIsLoaded) {
  Lead();
  Put("a", "1", kSeven);
  Put("b", "1");
  End(kSeven, true);
  Put("c", "1", kEight);
  End(kEight, false);
  const auto applied = std::exchange(log.applied, {});
  const auto markers = std::exchange(log.markers, {});
  ASSERT_EQ(applied.size(), 3u);
  EXPECT_EQ(applied[0].second.producer_id, 7);
  EXPECT_EQ(applied[0].second.producer_epoch, 2);
  EXPECT_TRUE(applied[0].second.transactional);
  EXPECT_EQ(applied[1].second.producer_id, -1);
  EXPECT_FALSE(applied[1].second.transactional);
  ASSERT_EQ(markers.size(), 2u);
  EXPECT_EQ(markers[0].meta.offset, 2);
  EXPECT_EQ(markers[0].meta.producer_id, 7);
  EXPECT_TRUE(markers[0].committed);
  EXPECT_FALSE(markers[1].committed);
  Lead();
  ASSERT_EQ(log.applied.size(), applied.size());
  for (size_t i = 0; i < applied.size(); ++i) {
    EXPECT_EQ(log.applied[i].first, applied[i].first);
    EXPECT_EQ(log.applied[i].second.offset, applied[i].second.offset);
    EXPECT_EQ(log.applied[i].second.producer_id, applied[i].second.producer_id);
    EXPECT_EQ(log.applied[i].second.transactional,
              applied[i].second.transactional);
  }
  ASSERT_EQ(log.markers.size(), markers.size());
  for (size_t i = 0; i < markers.size(); ++i) {
    EXPECT_EQ(log.markers[i].meta.offset, markers[i].meta.offset);
    EXPECT_EQ(log.markers[i].committed, markers[i].committed);
  }
}

TEST_F(RuntimeTransactionTest, AMarkerIsAnsweredWhenItIsCommittedAndApplied) {
  Lead();
  replicas.auto_commit = false;
  const Answered put = Put("a", "1", kSeven);
  const Answered end = End(kSeven, true);
  CommitOne();
  EXPECT_EQ(*put, ErrorCode::kNone);
  EXPECT_FALSE(*end);
  EXPECT_EQ(Get("a"), "");
  CommitOne();
  EXPECT_EQ(*end, ErrorCode::kNone);
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(RuntimeTransactionTest, InterleavedTransactionsSurviveTheirCoordinator) {
  Lead();
  Put("kept", "0");
  Put("committed", "1", kSeven);
  Put("aborted", "1", kEight);
  Put("open", "1", {{9, 0}});
  Put("kept", "1", kEight);
  End(kSeven, true);
  Put("next", "1", kSeven);
  End(kEight, false);
  Put("again", "1", kEight);
  for (int leader = 0; leader < 2; ++leader) {
    Lead();
    EXPECT_EQ(Get("committed"), "1");
    EXPECT_EQ(Get("aborted"), "");
    EXPECT_EQ(Get("open"), "");
    EXPECT_EQ(Get("next"), "");
    EXPECT_EQ(Get("kept"), "0");
  }
  // KIP-890: the epoch is a newer one.
  End({7, 3}, true);
  End({8, 1}, true);
  End({9, 1}, false);
  for (int leader = 0; leader < 2; ++leader) {
    EXPECT_EQ(Get("next"), "1");
    EXPECT_EQ(Get("again"), "1");
    EXPECT_EQ(Get("open"), "");
    EXPECT_EQ(Get("kept"), "0");
    Lead();
  }
}

TEST_F(RuntimeTransactionTest, WhatTheLogRefusesAProducerChangesNothing) {
  Lead();
  Put("a", "1", kSeven);
  for (const ErrorCode error : {ErrorCode::kInvalidProducerEpoch,
                                ErrorCode::kTransactionCoordinatorFenced}) {
    replicas.refuse = error;
    EXPECT_EQ(*End({7, 1}, false), error);
    EXPECT_EQ(*Put("b", "1", {{7, 1}}), error);
    EXPECT_EQ(toys->Availability(), ErrorCode::kNone) << "nothing to load";
  }
  replicas.refuse.reset();
  EXPECT_EQ(*End(kSeven, true), ErrorCode::kNone);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "");
}

// Of those that wait together only the refused producer's fail.
TEST_F(RuntimeTransactionTest, ARefusedProducerFailsAlone) {
  Lead();
  replicas.auto_commit = false;
  Put("first", "1");
  const Answered fenced = Put("a", "1", {{7, 1}});
  const Answered other = Put("b", "1");
  replicas.refuse = ErrorCode::kInvalidProducerEpoch;
  replicas.Commit();
  executor.RunOne();  // the next one is refused
  replicas.refuse.reset();
  Settle();
  EXPECT_EQ(*fenced, ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(*other, ErrorCode::kNone);
}

TEST_F(RuntimeTransactionTest, ResigningAmidAMarkerLeavesItToTheLog) {
  Lead();
  Put("a", "1", kSeven);
  Put("b", "1", kEight);
  replicas.auto_commit = false;
  const Answered end = End(kSeven, true);
  const Answered waits = End(kEight, true);
  toys->Resign(++replicas.epoch);
  EXPECT_EQ(*end, ErrorCode::kNotCoordinator);
  EXPECT_EQ(*waits, ErrorCode::kNotCoordinator);
  EXPECT_EQ(*End(kSeven, true), ErrorCode::kNotCoordinator);
  replicas.Commit();
  replicas.auto_commit = true;
  Lead();
  EXPECT_EQ(Get("a"), "1") << "it was in the log";
  EXPECT_EQ(Get("b"), "") << "it was not";
  EXPECT_EQ(*End(kSeven, true), ErrorCode::kNone)
      << "again, as coordinators do";
  EXPECT_EQ(*End(kEight, true), ErrorCode::kNone);
  EXPECT_EQ(Get("b"), "1");
}

TEST_F(RuntimeTransactionTest, AMarkerThatTakesTooLongGoesOnWithoutItsCaller) {
  Lead();
  Put("a", "1", kSeven);
  replicas.auto_commit = false;
  const Answered end = End(kSeven, true);
  executor.Advance(seconds(6));
  EXPECT_EQ(*end, ErrorCode::kCoordinatorNotAvailable);
  CommitOne();
  EXPECT_EQ(Get("a"), "1");
}

class SnapshotTransactionTest : public RuntimeTransactionTest {
 protected:
  SnapshotTransactionTest() {
    options.snapshots = {.min_bytes = 4'000, .dead_ratio = 2};
  }
  void PutMany(int count) {
    for (int i = 0; i < count; ++i) Put("n" + std::to_string(i % 5), "x");
  }
};

TEST_F(SnapshotTransactionTest, OpenTransactionsKeepTheirRecords) {
  Lead();
  PutMany(1'000);
  ASSERT_GT(replicas.start, 0);
  const Offset first = replicas.EndOffset(replicas.batches.size());
  Put("a", "1", kSeven);
  Put("b", "1", kEight);
  PutMany(1'000);
  EXPECT_EQ(replicas.start, first);
  Lead();
  End(kSeven, true);
  PutMany(1'000);
  EXPECT_EQ(replicas.start, first + 1) << "the next one is still open";
  End(kEight, true);
  PutMany(1'000);
  EXPECT_GT(replicas.start, first + 2'000);
  for (int leader = 0; leader < 2; ++leader) {
    EXPECT_EQ(Get("a"), "1");
    EXPECT_EQ(Get("b"), "1");
    Lead();
  }
}

// The marker comes when the slice that would hold what it commits has been
// written already.
TEST_F(SnapshotTransactionTest, ATransactionThatEndsAmidASnapshotIsNotLost) {
  options.snapshots.min_bytes = INT64_MAX;
  Lead();
  Put("a", "old");
  Put("a", "new", kSeven);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 40; ++i) {  // half a megabyte is live: eight slices
      Put("n" + std::to_string(i), std::string(13'000, 'x'));
    }
  }
  options.snapshots.min_bytes = 4'000;
  replicas.auto_commit = false;
  Lead();
  for (int i = 0; i < 3; ++i) CommitOne();
  ASSERT_EQ(replicas.start, 0);
  const Answered end = End(kSeven, true);
  Settle();
  ASSERT_EQ(*end, ErrorCode::kNone);
  EXPECT_EQ(replicas.trims, 1);
  EXPECT_EQ(Get("a"), "new");
  Lead();
  Settle();
  EXPECT_EQ(Get("a"), "new");
}

// As Kafka decides it: whose record is older loses, however late its marker.
TEST_F(RuntimeTransactionTest, OfTwoTheNewerRecordCounts) {
  Lead();
  Put("a", "1", kSeven);
  Put("a", "2");
  Put("b", "1");
  Put("b", "2", kSeven);
  Put("c", "1", kSeven);
  Put("c", "2", kEight);
  End(kEight, true);
  for (int leader = 0; leader < 2; ++leader) {
    EXPECT_EQ(Get("a"), "2");
    EXPECT_EQ(Get("b"), "1");
    EXPECT_EQ(Get("c"), "2");
    Lead();
  }
  End(kSeven, true);
  for (int leader = 0; leader < 2; ++leader) {
    EXPECT_EQ(Get("a"), "2");
    EXPECT_EQ(Get("b"), "2");
    EXPECT_EQ(Get("c"), "2");
    Lead();
  }
}

// A copy in a snapshot is as old as what it copies.
TEST_F(SnapshotTransactionTest, ASnapshotMakesNothingNewer) {
  Lead();
  Put("a", "1");
  Put("a", "2", kSeven);
  Put("b", "1", kSeven);
  Put("b", "2");
  PutMany(1'000);
  ASSERT_GT(replicas.trims, 0);
  Lead();
  PutMany(1'000);
  Lead();
  End(kSeven, true);
  for (int leader = 0; leader < 2; ++leader) {
    EXPECT_EQ(Get("a"), "2");
    EXPECT_EQ(Get("b"), "2");
    Lead();
  }
}

TEST_F(SnapshotTransactionTest, WhatIsDeletedStaysDeletedWhenAMarkerComes) {
  Lead();
  Put("a", "1");
  Put("a", "2", kSeven);
  Put("a", std::nullopt);
  PutMany(1'000);
  EXPECT_GT(replicas.start, 3) << "nothing is open any more";
  End(kSeven, true);
  EXPECT_EQ(Get("a"), "");
  Lead();
  EXPECT_EQ(Get("a"), "");
}

// As SnapshotTest.EveryLogThatMayLeadSaysWhatWasAcknowledged, with transactions
// of three producers around every snapshot.
TEST_F(SnapshotTransactionTest, EveryLogThatMayLeadSaysTheSame) {
  int snapshots = 0;
  int amid = 0;  // with a transaction open that began in front of it
  int ends = 0;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return random() % n; };
    replicas.~FakeReplicas();
    new (&replicas) FakeReplicas(executor);
    options.snapshots = {.min_bytes = 1'000, .dead_ratio = 1};
    Lead();
    std::vector<Offset> starts{0};  // that a replica may still have
    int value = 0;
    for (int step = 0; step < 300; ++step) {
      replicas.auto_commit = below(3) == 0;
      const std::string name =
          "n" + std::to_string(below(4)) + std::string(below(2) * 200, 'x');
      const Producer producer{static_cast<ProducerId>(below(3)), 0};
      switch (below(16)) {
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
          CommitOne();
          break;
        case 5:
        case 6:
        case 7:
          ++ends;
          (void)End(producer, below(4) > 0);
          break;
        case 8:
        case 9:
        case 10:
        case 11:
          (void)Put(name, std::to_string(++value), producer);
          break;
        case 12:
          (void)Put(name, std::nullopt);
          break;
        default:
          (void)Put(name, std::to_string(++value));
      }
      if (replicas.start > starts.back()) {
        ++snapshots;
        starts.push_back(replicas.start);
      }
      for (size_t end = replicas.committed; end <= replicas.batches.size();
           ++end) {
        const std::vector<std::string> cut(
            replicas.batches.begin(),
            replicas.batches.begin() + static_cast<int64_t>(end));
        const Said whole = SaidBy(cut);
        amid += !whole.open.empty() && replicas.trims > 0;
        for (size_t i = starts.size() - std::min<size_t>(starts.size(), 3);
             i < starts.size(); ++i) {
          ASSERT_EQ(SaidBy(cut, starts[i]), whole)
              << "step " << step << " start " << starts[i];
        }
      }
    }
    // What its leader has come to know of it is the same.
    replicas.auto_commit = true;
    Settle();
    for (const auto& [name, said] : SaidBy(replicas.batches).values) {
      EXPECT_EQ(Get(name), said);
    }
  }
  EXPECT_GT(snapshots, 500);
  EXPECT_GT(amid, 1'000);
  EXPECT_GT(ends, 1'000);
}

// KIP-890: by it the log tells a marker that comes twice.
TEST_F(RuntimeTransactionTest, TheLogHearsTheVersionOfAMarker) {
  Lead();
  End({7, 1}, true, 5, 2);
  ASSERT_FALSE(replicas.transactions.empty());
  EXPECT_EQ(replicas.transactions.back().version, 2);
  End({7, 2}, false);
  EXPECT_EQ(replicas.transactions.back().version, 0);
}

}  // namespace
}  // namespace tidemark::coordinator
