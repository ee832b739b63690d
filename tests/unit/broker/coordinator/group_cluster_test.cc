#include <gtest/gtest.h>

#include <random>

#include "broker/coordinator/group_coordinator.h"
#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::coordinator {
namespace {

using replication::TestCluster;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TopicPartition kGroups{kOffsetsTopic, 0};
const TopicPartition kConsumed{"t", 0};

// The coordinator of the groups at one of the brokers.
class Node final : public replication::LeadershipListener {
 public:
  Node(TestCluster& cluster, NodeId id, const CoordinatorOptions& options)
      : groups_(std::make_shared<GroupPartition>(
            kGroups, *cluster.broker(id).replicas, options,
            GroupTable(GroupConfig{}))) {
    cluster.broker(id).replicas->Listen(kOffsetsTopic, this);
  }
  void OnLeader(const TopicPartition&, LeaderEpoch epoch) override {
    groups_->Lead(epoch);
  }
  void OnNotLeader(const TopicPartition&, LeaderEpoch epoch) override {
    groups_->Resign(epoch);
  }
  GroupPartition& groups() { return *groups_; }

 private:
  const std::shared_ptr<GroupPartition> groups_;
};

class GroupClusterTest : public testing::Test {
 protected:
  void Start(const CoordinatorOptions& options) {
    for (NodeId id : {1, 2, 3}) {
      nodes.push_back(std::make_unique<Node>(cluster, id, options));
    }
    cluster.CreateTopic(kOffsetsTopic, 1, {1, 2, 3}, 1, {1, 2, 3});
    metadata::v1::Record config;
    config.mutable_set_config()->set_type(metadata::v1::TOPIC);
    config.mutable_set_config()->set_name(kOffsetsTopic);
    config.mutable_set_config()->set_key("segment.bytes");
    config.mutable_set_config()->set_value("1000000");
    metadata::v1::Record policy = config;
    policy.mutable_set_config()->set_key("cleanup.policy");
    policy.mutable_set_config()->set_value("compact");
    cluster.Commit({config, policy});
    cluster.executor.RunFor(seconds(1));
  }
  NodeId leader() {
    return cluster.image().FindPartition(kOffsetsTopic, 0)->leader;
  }
  GroupPartition& At(NodeId id) {
    return nodes[static_cast<size_t>(id - 1)]->groups();
  }
  void Elect(NodeId id) { cluster.Elect(kOffsetsTopic, 0, id, {1, 2, 3}); }
  const log::Log& LogOf(NodeId id) {
    return cluster.Replica(id, kGroups)->log();
  }
  Offset Committed(const std::string& group) {
    const FetchResult result = At(leader()).Read(
        FetchRequest{.group_id = group, .partitions = std::vector{kConsumed}});
    EXPECT_EQ(result.error, ErrorCode::kNone);
    return result.partitions.empty() ? -99 : result.partitions[0].value.offset;
  }

  TestCluster cluster{3};
  std::vector<std::unique_ptr<Node>> nodes;
};

CommitRequest CommitOf(const std::string& group, Offset offset) {
  return {.group_id = group, .partitions = {{kConsumed, {.offset = offset}}}};
}

TEST_F(GroupClusterTest, AMillionCommitsLeaveAShortLogAtEveryReplica) {
  constexpr int kCommits = 1'000'000;
  constexpr int kGroupCount = 10;
  Start({});
  int answered = 0;
  for (int i = 0; i < kCommits; ++i) {
    At(1).Submit(CommitOf("g" + std::to_string(i % kGroupCount), i),
                 [&](const CommitResult& result) {
                   ASSERT_EQ(result.error, ErrorCode::kNone);
                   ++answered;
                 });
    if (i % 1'000 == 999) cluster.executor.RunFor(milliseconds(5));
  }
  cluster.executor.RunFor(seconds(5));
  ASSERT_EQ(answered, kCommits);
  for (NodeId id : {1, 2, 3}) {
    const log::Log& log = LogOf(id);
    EXPECT_GE(log.end_offset(), kCommits);
    EXPECT_LT(log.size_bytes(), SnapshotOptions().min_bytes + 2'000'000);
    // What is loaded: at some 66 bytes a record.
    EXPECT_LT(log.end_offset() - log.start_offset(), 300'000);
  }
  for (NodeId id : {2, 3, 1}) {
    Elect(id);
    cluster.executor.RunFor(milliseconds(200));
    ASSERT_EQ(At(id).Availability(), ErrorCode::kNone);
    for (int g = 0; g < kGroupCount; ++g) {
      EXPECT_EQ(Committed("g" + std::to_string(g)), kCommits - kGroupCount + g);
    }
  }
}

// Leaders change while commits, deletions, snapshots and trimming are under
// way; what was acknowledged is there at whoever leads, and what was deleted
// is not.
TEST_F(GroupClusterTest, NoElectionLosesOrRevivesAnOffset) {
  Start({.snapshots = {.min_bytes = 3'000, .dead_ratio = 1}});
  std::mt19937 random(7);
  const auto below = [&](unsigned n) { return random() % n; };
  // Offsets in the order asked for, -1 for a deletion, and how many are
  // acknowledged.
  std::map<std::string, std::vector<Offset>> asked;
  std::map<std::string, size_t> known;
  int acknowledged = 0;
  int deleted = 0;
  const auto check = [&](const std::string& where) {
    SCOPED_TRACE(where);
    ASSERT_EQ(At(leader()).Availability(), ErrorCode::kNone);
    for (const auto& [group, number] : known) {
      const auto& all = asked[group];
      const Offset said = Committed(group);
      EXPECT_NE(std::find(all.begin() + static_cast<int64_t>(number) - 1,
                          all.end(), said),
                all.end())
          << group << " at " << said;
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    const std::string group = "g" + std::to_string(below(5));
    auto& all = asked[group];
    const auto acked = [&, group, number = all.size() + 1](auto result) {
      if (result.error != ErrorCode::kNone) return;
      known[group] = std::max(known[group], number);
      ++acknowledged;
    };
    switch (below(40)) {
      case 0: {
        const auto leading = leader();
        Elect(1 + (leading + static_cast<NodeId>(below(2))) % 3);
        break;
      }
      case 1: {  // a follower falls behind for a while
        const std::pair<NodeId, NodeId> link{1 + static_cast<NodeId>(below(3)),
                                             leader()};
        if (link.first == link.second) break;
        cluster.cut.insert(link);
        cluster.executor.RunFor(milliseconds(below(20)));
        cluster.cut.clear();
        break;
      }
      case 2:
      case 3:
      case 4:
        all.push_back(-1);
        At(leader()).Submit(DeleteRequest{group}, [&, acked](auto result) {
          deleted += result.error == ErrorCode::kNone;
          acked(result);
        });
        break;
      default:
        all.push_back(step);
        At(leader()).Submit(CommitOf(group, step), acked);
    }
    cluster.executor.RunFor(microseconds(below(3'000)));
    if (step % 500 == 499) {
      cluster.executor.RunFor(seconds(3));
      check("step " + std::to_string(step));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(acknowledged, 10'000);
  EXPECT_GT(deleted, 300);
  for (NodeId id : {1, 2, 3}) {
    Elect(id);
    cluster.executor.RunFor(seconds(3));
    check("broker " + std::to_string(id));
    EXPECT_LT(LogOf(id).end_offset() - LogOf(id).start_offset(), 1'000);
    EXPECT_GT(LogOf(id).start_offset(), 10'000);
  }
}

// D8, also where nobody but the coordinator itself reads.
TEST_F(GroupClusterTest, WhoCannotReadTheLogOfItsGroupsLetsAnotherLead) {
  Start({});
  for (int i = 0; i < 10; ++i) {
    At(1).Submit(CommitOf("g", i), [](auto) {});
    cluster.executor.RunFor(milliseconds(5));
  }
  Elect(2);
  cluster.executor.RunFor(seconds(1));
  cluster.broker(1).disk.FlipBit(
      "/data/__consumer_offsets-0/00000000000000000000.log", 500, 1);
  Elect(1);
  cluster.executor.RunFor(seconds(5));
  EXPECT_NE(leader(), 1);
  EXPECT_EQ(Committed("g"), 9);
  Elect(1);  // it has fetched again what was bad
  cluster.executor.RunFor(seconds(1));
  EXPECT_EQ(Committed("g"), 9);
}

// A follower that was away for so long that the log it knows is trimmed
// starts over, and may lead.
TEST_F(GroupClusterTest, AFollowerThatMissedTheTrimmingStartsOver) {
  Start({.snapshots = {.min_bytes = 3'000, .dead_ratio = 1}});
  cluster.cut = {{3, 1}};
  cluster.ChangePartition(kOffsetsTopic, 0, {1, 2}, std::nullopt);
  cluster.executor.RunFor(seconds(31));  // nobody waits for it any more
  for (int i = 0; i < 2'000; ++i) {
    At(1).Submit(CommitOf("g" + std::to_string(i % 5), i), [](auto) {});
    cluster.executor.RunFor(milliseconds(5));
  }
  ASSERT_GT(LogOf(1).start_offset(), 1'000);
  ASSERT_LT(LogOf(3).end_offset(), 100);
  cluster.cut.clear();
  cluster.executor.RunFor(seconds(5));
  EXPECT_EQ(LogOf(3).start_offset(), LogOf(1).start_offset());
  Elect(3);
  cluster.executor.RunFor(seconds(1));
  for (int g = 0; g < 5; ++g) {
    EXPECT_EQ(Committed("g" + std::to_string(g)), 1'995 + g);
  }
}

}  // namespace
}  // namespace tidemark::coordinator
