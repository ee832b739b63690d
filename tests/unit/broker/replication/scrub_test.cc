// Damage on a disk that nobody reads is found and mended.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/replication/scrubbing.h"
#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::seconds;

constexpr char kDir[] = "/data/t-0";
constexpr char kFirst[] = "/data/t-0/00000000000000000000.log";
constexpr seconds kInterval{10};

// Of the second batch of the first segment.
struct Flip {
  const char* what;
  size_t byte;
  int bit = 1;
};
constexpr Flip kFlips[] = {
    {"base offset", 3},   {"offset again", 7, 0}, {"length", 9},
    {"small length", 11}, {"epoch", 14},          {"magic", 16},
    {"checksum", 18},     {"delta", 25},          {"record", 66},
};

class ScrubTest : public testing::TestWithParam<Flip> {
 protected:
  struct Scrubbed {
    Scrubbed(TestBroker& broker, Executor& executor)
        : source(*broker.replicas, executor),
          scrubber(executor, broker.disk, {1 << 20, kInterval, 1}, source) {
      scrubber.Start();
    }
    ReplicaScrubSource source;
    log::Scrubber scrubber;
  };

  ScrubTest() {
    cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
    log::LogConfig config;
    config.segment_bytes = 1000;
    for (NodeId id = 1; id <= 3; ++id) {
      cluster_.Replica(id, kT0)->UpdateConfig(config, 2);
      scrubbed_.push_back(
          std::make_unique<Scrubbed>(cluster_.broker(id), cluster_.executor));
    }
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(cluster_.Produce(1, kT0, "value " + std::to_string(i)).error,
                ErrorCode::kNone);
    }
    cluster_.executor.RunFor(seconds(1));
  }
  ~ScrubTest() override { cluster_.executor.DropAll(); }

  // All that the replica's segments hold.
  std::string Bytes(NodeId at) {
    sim::SimDisk& disk = cluster_.broker(at).disk;
    std::string all;
    const auto names = disk.List(kDir).value();
    for (const std::string& name : names) {
      if (!name.ends_with(".log")) continue;
      all += io::ReadFile(disk, std::string(kDir) + "/" + name).value();
    }
    return all;
  }
  void Spoil(NodeId at, const Flip& flip) {
    const std::string first =
        io::ReadFile(cluster_.broker(at).disk, kFirst).value();
    const size_t second = record::PeekBatchSize(first).value();
    cluster_.broker(at).disk.FlipBit(kFirst, second + flip.byte, flip.bit);
  }
  void ExpectMended(NodeId at, const std::string& right) {
    ASSERT_NE(Bytes(at), right);
    cluster_.executor.RunFor(3 * kInterval);
    EXPECT_EQ(scrubbed_[at - 1]->scrubber.counters().damaged, 1);
    for (NodeId id = 1; id <= 3; ++id) {
      EXPECT_EQ(Bytes(id) == right, true) << "replica " << id;
      EXPECT_EQ(cluster_.Replica(id, kT0)->log().end_offset(), 40);
    }
    const auto* row = cluster_.image().FindPartition("t", 0);
    EXPECT_THAT(row->isr, testing::UnorderedElementsAre(1, 2, 3));
    EXPECT_EQ(cluster_.Produce(row->leader, kT0, "after").error,
              ErrorCode::kNone);
  }

  TestCluster cluster_{3};
  std::vector<std::unique_ptr<Scrubbed>> scrubbed_;
};

INSTANTIATE_TEST_SUITE_P(Bytes, ScrubTest, testing::ValuesIn(kFlips),
                         [](const auto& info) {
                           std::string name = info.param.what;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_P(ScrubTest, AFollowerFetchesAgainWhatHasRottedInItsLog) {
  const std::string right = Bytes(1);
  Spoil(2, GetParam());
  ExpectMended(2, right);
  EXPECT_EQ(cluster_.image().FindPartition("t", 0)->leader, 1);
}

TEST_P(ScrubTest, ALeaderLeavesToOthersWhatHasRottedInItsLog) {
  const std::string right = Bytes(2);
  Spoil(1, GetParam());
  ExpectMended(1, right);
  EXPECT_NE(cluster_.image().FindPartition("t", 0)->leader, 1);
}

using CalmScrubTest = ScrubTest;
INSTANTIATE_TEST_SUITE_P(None, CalmScrubTest, testing::Values(Flip{}));

TEST_P(CalmScrubTest, ReadsEveryByteOnceAPeriodAndFindsNothing) {
  const int64_t all = static_cast<int64_t>(Bytes(2).size());
  const auto& counters = scrubbed_[1]->scrubber.counters();
  cluster_.executor.RunFor(4 * kInterval + seconds(2));
  EXPECT_EQ(counters.periods, 4);
  EXPECT_EQ(counters.damaged, 0);
  EXPECT_GT(counters.bytes, 4 * (all - 1000));
  EXPECT_LE(counters.bytes, 4 * all);
  EXPECT_EQ(cluster_.broker(2).replicas->stats().corrupt_reads, 0);
}

// The last one in sync keeps what it has; nobody has anything better.
TEST_P(CalmScrubTest, TheLastInSyncCutsNothing) {
  cluster_.cut = {{2, 1}, {3, 1}};
  EXPECT_EQ(cluster_.Produce(1, kT0, "not theirs", 1).error, ErrorCode::kNone);
  cluster_.executor.RunFor(seconds(60));
  ASSERT_THAT(cluster_.image().FindPartition("t", 0)->isr,
              testing::ElementsAre(1));
  Spoil(1, {"record", 66});
  cluster_.executor.RunFor(3 * kInterval);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 41);
  EXPECT_TRUE(cluster_.Replica(1, kT0)->IsLeader());
  cluster_.cut.clear();
  // As soon as another one is in sync, it leads.
  cluster_.executor.RunFor(6 * kInterval);
  EXPECT_FALSE(cluster_.Replica(1, kT0)->corrupt_from());
}

TEST_P(CalmScrubTest, KeepsToItsRate) {
  ReplicaScrubSource source(*cluster_.broker(3).replicas, cluster_.executor);
  const auto all = static_cast<int64_t>(Bytes(3).size());
  log::Scrubber slow(cluster_.executor, cluster_.broker(3).disk,
                     {all / 60, kInterval, 1}, source);
  slow.Start();
  cluster_.executor.RunFor(kInterval + seconds(30));
  EXPECT_GT(slow.counters().bytes, all / 3);
  EXPECT_LT(slow.counters().bytes, all * 2 / 3);
  cluster_.executor.DropAll();
}

}  // namespace
}  // namespace tidemark::replication
