// Whole brokers, without sockets, on a clock that the test moves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/record/batch_reader.h"
#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<std::string> ValuesIn(const kafka::FetchResponse& response) {
  std::vector<std::string> values;
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      const auto bytes = partition.records->Load();
      CHECK(bytes);
      record::BatchIterator batches(bytes->view());
      while (auto batch = *batches.Next()) {
        CHECK(record::ForEachRecord(
            batch->bytes, [&](const record::Record& record) -> Status {
              values.emplace_back(record.value.value_or(""));
              return {};
            }));
      }
    }
  }
  return values;
}

class ReplicaManagerTest : public testing::Test {
 protected:
  static kafka::FetchRequest Ask(const TopicPartition& partition, Offset from,
                                 int32_t max_wait_ms) {
    kafka::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    kafka::FetchRequest::FetchTopic topic;
    topic.topic = partition.topic;
    kafka::FetchRequest::FetchPartition asked;
    asked.partition = partition.partition;
    asked.fetch_offset = from;
    asked.partition_max_bytes = 1 << 20;
    topic.partitions.push_back(asked);
    request.topics.push_back(topic);
    return request;
  }
  void Fetch(NodeId at, kafka::FetchRequest request,
             std::optional<kafka::FetchResponse>* response) {
    FetchCall call;
    call.version = 12;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    cluster_.broker(at).fetch->Fetch(
        call, std::move(request),
        [response](kafka::FetchResponse r) { *response = std::move(r); });
    cluster_.executor.Drain();
  }

  TestCluster cluster_{3};
};

TEST_F(ReplicaManagerTest, AcksAllIsDoneWithOneSyncAndOneRoundTrip) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  const Instant before = cluster_.executor.Now();
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  EXPECT_LE(cluster_.executor.Now() - before, milliseconds(3))
      << "the flushed offset must not wait for the parked fetch";
  EXPECT_EQ(cluster_.Replica(1, kT0)->high_watermark(), 1);
}

// All disks work at the same time, and the way to a follower's is longer.
TEST_F(ReplicaManagerTest, FollowersHaveABatchBeforeTheLeadersDiskBegins) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  int written_before = -1;
  cluster_.broker(1).logs.on_sync = [&] { written_before = cluster_.written; };
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  EXPECT_EQ(written_before, 2);
}

// What one turn of a shard appends is given to the disk together.
TEST_F(ReplicaManagerTest, BatchesOfOneTurnAreSyncedTogether) {
  cluster_.CreateTopic("t", 1, {1}, 1, {1});
  cluster_.executor.RunFor(seconds(1));
  std::optional<ProduceOutcome> one, two;
  const int syncs = cluster_.broker(1).logs.syncs;
  cluster_.StartProduce(1, kT0, "a", -1, &one);
  cluster_.StartProduce(1, kT0, "b", -1, &two);
  cluster_.executor.RunFor(seconds(1));
  ASSERT_TRUE(one && two);
  EXPECT_EQ(cluster_.broker(1).logs.syncs, syncs + 1);
}

// Whoever asks about a million partitions must not make a million copies of
// what waits for the answer.
TEST_F(ReplicaManagerTest, WhatManyQueriesTakeDoesNotGrowWithTheirSquare) {
  cluster_.CreateTopic("t", 1, {1}, 1, {1});
  cluster_.executor.RunFor(seconds(1));
  struct Copied {
    explicit Copied(int* c) : copies(c) {}
    Copied(const Copied& other) : copies(other.copies) { ++*copies; }
    int* copies;
  };
  constexpr size_t kQueries = 3000;
  FetchService& fetch = *cluster_.broker(1).fetch;
  std::vector<OffsetQuery> queries;
  for (size_t i = 0; i < kQueries; ++i) {
    OffsetQuery& query = queries.emplace_back();
    query.partition = {"t", static_cast<PartitionIndex>(i)};
    query.timestamp = -1;
    query.epoch = 0;
  }
  int copies = 0;
  size_t offsets = 0, ends = 0;
  fetch.FindOffsets(queries, cluster_.executor, nullptr,
                    [&, counted = Copied(&copies)](auto answers) {
                      offsets = answers.size();
                      EXPECT_TRUE(answers[0]);
                      EXPECT_EQ(answers.back().error().code,
                                ErrorCode::kUnknownTopicOrPartition);
                    });
  fetch.EndOffsets(queries, cluster_.executor,
                   [&, counted = Copied(&copies)](auto answers) {
                     ends = answers.size();
                     EXPECT_TRUE(answers[0]);
                     EXPECT_FALSE(answers.back());
                   });
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(offsets, kQueries);
  EXPECT_EQ(ends, kQueries);
  EXPECT_LT(copies, 20);
  bool none = false;
  fetch.EndOffsets({}, cluster_.executor,
                   [&](auto answers) { none = answers.empty(); });
  cluster_.executor.RunFor(seconds(1));
  EXPECT_TRUE(none);
}

// A flush that is still to be reported when another partition's data ends the
// parked fetch must go with the next one.
TEST_F(ReplicaManagerTest, NoFlushGoesUnreportedAmongManyPartitions) {
  constexpr int kPartitions = 8;
  cluster_.CreateTopic("t", kPartitions, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  for (int step = 0; step < 40; ++step) {
    std::vector<std::optional<ProduceOutcome>> outcomes(kPartitions);
    for (int i = 0; i < kPartitions; ++i) {
      for (const NodeId id : {1, 2, 3}) {
        cluster_.broker(id).logs.sync_time =
            std::chrono::microseconds(100 + 370 * ((step + 3 * i + id) % 5));
      }
      cluster_.StartProduce(1, {"t", i}, "a", -1, &outcomes[i]);
      cluster_.executor.RunFor(std::chrono::microseconds(50 * (step % 20)));
    }
    cluster_.executor.RunFor(milliseconds(10));
    for (int i = 0; i < kPartitions; ++i) {
      ASSERT_TRUE(outcomes[i]) << "partition " << i << " in step " << step;
    }
  }
}

TEST_F(ReplicaManagerTest, FollowersHoldTheSameBytes) {
  cluster_.CreateTopic("t", 4, {1, 2, 3}, 1, {1, 2, 3});
  for (int i = 0; i < 40; ++i) {
    const TopicPartition name{"t", i % 4};
    ASSERT_EQ(cluster_.Produce(1, name, "v" + std::to_string(i)).error,
              ErrorCode::kNone);
  }
  cluster_.executor.RunFor(seconds(2));
  for (int p = 0; p < 4; ++p) {
    const TopicPartition name{"t", p};
    auto leader = cluster_.Replica(1, name)->log().Read(0, 10, 1 << 20, true);
    for (const NodeId id : {2, 3}) {
      auto own = cluster_.Replica(id, name)->log().Read(0, 10, 1 << 20, true);
      EXPECT_EQ(leader->view(), own->view());
      EXPECT_EQ(cluster_.Replica(id, name)->high_watermark(), 10);
    }
  }
}

// The first shard may be done with its part while the others are still given
// theirs.
TEST_F(ReplicaManagerTest, OneProduceReachesEveryPartitionOfItsShardOnce) {
  std::vector<ProduceItem> items;
  for (const char* topic : {"a", "b", "c", "d"}) {
    cluster_.CreateTopic(topic, 2, {1, 2, 3}, 1, {1, 2, 3});
    for (int i = 0; i < 2; ++i) {
      items.push_back({{topic, i}, SharedBytes(BatchOf("v"))});
    }
  }
  cluster_.executor.RunFor(seconds(1));
  int answers = 0;
  std::vector<ProduceOutcome> outcomes;
  cluster_.broker(1).replicas->Produce(items, -1, seconds(5), cluster_.executor,
                                       [&](std::vector<ProduceOutcome> all) {
                                         ++answers;
                                         outcomes = std::move(all);
                                       });
  cluster_.executor.RunFor(seconds(10));
  EXPECT_EQ(answers, 1);
  ASSERT_EQ(outcomes.size(), items.size());
  for (const ProduceOutcome& outcome : outcomes) {
    EXPECT_EQ(outcome.error, ErrorCode::kNone);
  }
}

TEST_F(ReplicaManagerTest, NothingIsAcknowledgedBeforeAFollowersSync) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.broker(2).logs.hold_syncs = true;
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  cluster_.executor.RunFor(seconds(2));
  EXPECT_FALSE(outcome);
  EXPECT_EQ(cluster_.Replica(2, kT0)->log().end_offset(), 1);
  for (auto& sync : std::exchange(cluster_.broker(2).logs.held, {})) sync();
  cluster_.executor.RunFor(milliseconds(5));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, ErrorCode::kNone);
}

TEST_F(ReplicaManagerTest, AcksOneWaitsForTheLeadersSync) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.broker(1).logs.hold_syncs = true;
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", 1, &outcome);
  cluster_.executor.RunFor(seconds(1));
  EXPECT_FALSE(outcome);
  for (auto& sync : std::exchange(cluster_.broker(1).logs.held, {})) sync();
  cluster_.executor.RunFor(milliseconds(1));
  EXPECT_TRUE(outcome);
}

TEST_F(ReplicaManagerTest, SyncsOfOneLogAreCoalesced) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  const int before = cluster_.broker(1).logs.syncs;
  std::vector<std::optional<ProduceOutcome>> outcomes(50);
  for (auto& outcome : outcomes) {
    cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  }
  cluster_.executor.RunFor(milliseconds(10));
  for (auto& outcome : outcomes) EXPECT_TRUE(outcome);
  EXPECT_LE(cluster_.broker(1).logs.syncs - before, 2);
}

TEST_F(ReplicaManagerTest, ProduceTimesOutWhenAFollowerIsSilent) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.cut.insert({2, 1});
  cluster_.executor.RunFor(seconds(1));
  const Instant before = cluster_.executor.Now();
  // The ISR shrinks after 30 s as well; either ends the wait.
  const auto outcome = cluster_.Produce(1, kT0, "a");
  EXPECT_EQ(outcome.error, ErrorCode::kRequestTimedOut);
  EXPECT_GE(cluster_.executor.Now() - before, seconds(30));
}

TEST_F(ReplicaManagerTest, ProduceToAFollowerNamesTheLeader) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  const auto outcome = cluster_.Produce(2, kT0, "a");
  EXPECT_EQ(outcome.error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(outcome.leader, 1);
  EXPECT_EQ(cluster_.Produce(2, {"u", 0}, "a").error,
            ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(ReplicaManagerTest, LeaderMovesAndTheWaitingProduceIsTold) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  ASSERT_EQ(cluster_.Produce(1, kT0, "kept").error, ErrorCode::kNone);
  cluster_.cut = {{2, 1}, {3, 1}};
  cluster_.executor.RunFor(seconds(1));
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "lost", -1, &outcome);
  cluster_.executor.RunFor(milliseconds(100));
  cluster_.Elect("t", 0, 2, {2, 3});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(cluster_.Produce(2, kT0, "won").error, ErrorCode::kNone);
  cluster_.executor.RunFor(seconds(2));
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().Read(0, 2, 9999, true)->view(),
            cluster_.Replica(2, kT0)->log().Read(0, 2, 9999, true)->view());
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr,
              UnorderedElementsAre(1, 2, 3))
      << "1 rejoined";
}

TEST_F(ReplicaManagerTest, FailoverDoesNotWaitForAParkedFetch) {
  // Partition 1 is idle and led by 2 all along: 3's fetch from 2 is parked.
  cluster_.CreateTopic("idle", 1, {2, 3}, 2, {2, 3});
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(milliseconds(1100));
  cluster_.broker(1).reachable = false;
  cluster_.Elect("t", 0, 2, {2, 3});
  const Instant before = cluster_.executor.Now();
  EXPECT_EQ(cluster_.Produce(2, kT0, "a").error, ErrorCode::kNone);
  EXPECT_LE(cluster_.executor.Now() - before, milliseconds(30));
}

TEST_F(ReplicaManagerTest, ShrinksAndExpandsTheIsr) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  cluster_.cut.insert({3, 1});
  cluster_.executor.RunFor(seconds(2));
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  cluster_.executor.RunFor(seconds(40));
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr,
              UnorderedElementsAre(1, 2));
  EXPECT_EQ(cluster_.Replica(1, kT0)->high_watermark(), 1);
  EXPECT_EQ(cluster_.broker(1).replicas->stats().under_replicated, 1);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(3));
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr,
              UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(cluster_.broker(1).replicas->stats().under_replicated, 0);
}

TEST_F(ReplicaManagerTest, AnIdleClusterIdles) {
  cluster_.CreateTopic("t", 100, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(5));
  cluster_.fetches.clear();
  cluster_.executor.RunFor(seconds(10));
  // Two shards, one fetch each every 500 ms.
  const int fetches = cluster_.fetches[{2, 1}];
  EXPECT_LE(fetches, 44);
  EXPECT_GE(fetches, 36);
}

TEST_F(ReplicaManagerTest, ConsumerIsWokenWhenItsRecordIsCommitted) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 10000), &response);
  EXPECT_FALSE(response);
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "hello", -1, &outcome);
  cluster_.executor.RunFor(milliseconds(5));
  ASSERT_TRUE(response);
  EXPECT_THAT(ValuesIn(*response), ElementsAre("hello"));
}

TEST_F(ReplicaManagerTest, ConsumerWithoutDataWaitsItsTime) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 300), &response);
  cluster_.executor.RunFor(milliseconds(299));
  EXPECT_FALSE(response);
  cluster_.executor.RunFor(milliseconds(1));
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->responses[0].partitions[0].records.has_value());
}

TEST_F(ReplicaManagerTest, MinBytesIsWaitedFor) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  auto request = Ask(kT0, 0, 10000);
  request.min_bytes = 200;  // a batch here is 70 bytes
  std::optional<kafka::FetchResponse> response;
  Fetch(1, request, &response);
  cluster_.Produce(1, kT0, "a");
  cluster_.Produce(1, kT0, "b");
  EXPECT_FALSE(response);
  cluster_.Produce(1, kT0, "c");
  cluster_.executor.RunFor(milliseconds(2));
  ASSERT_TRUE(response);
  EXPECT_THAT(ValuesIn(*response), ElementsAre("a", "b", "c"));
}

TEST_F(ReplicaManagerTest, FetchErrorsAreAnsweredAtOnce) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  std::optional<kafka::FetchResponse> response;
  Fetch(2, Ask(kT0, 0, 10000), &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses[0].partitions[0].error_code,
            static_cast<int16_t>(ErrorCode::kNotLeaderOrFollower));
  response.reset();
  Fetch(1, Ask(kT0, 5, 10000), &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses[0].partitions[0].error_code,
            static_cast<int16_t>(ErrorCode::kOffsetOutOfRange));
}

TEST_F(ReplicaManagerTest, AFetchSessionAnswersOnlyWhatHasChanged) {
  cluster_.CreateTopic("t", 2, {1, 2}, 1, {1, 2});
  auto request = Ask(kT0, 0, 0);
  request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
  request.topics[0].partitions[1].partition = 1;
  request.session_epoch = 0;
  std::optional<kafka::FetchResponse> response;
  Fetch(1, request, &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses[0].partitions.size(), 2u);
  ASSERT_NE(response->session_id, 0);
  cluster_.Produce(1, {"t", 1}, "x");
  kafka::FetchRequest next;
  next.session_id = response->session_id;
  next.session_epoch = 1;
  response.reset();
  Fetch(1, next, &response);
  ASSERT_TRUE(response);
  ASSERT_EQ(response->responses.size(), 1u);
  ASSERT_EQ(response->responses[0].partitions.size(), 1u);
  EXPECT_EQ(response->responses[0].partitions[0].partition_index, 1);
  response.reset();
  Fetch(1, next, &response);
  EXPECT_EQ(response->error_code,
            static_cast<int16_t>(ErrorCode::kInvalidFetchSessionEpoch));
}

TEST_F(ReplicaManagerTest, DeletedTopicGoesAndItsWaitersAreTold) {
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.cut.insert({2, 1});
  cluster_.executor.RunFor(seconds(1));
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  cluster_.executor.RunFor(milliseconds(10));
  metadata::v1::Record record;
  record.mutable_remove_topic()->set_topic_id(id.ToBytes());
  cluster_.Commit({record});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(cluster_.Replica(1, kT0), nullptr);
  EXPECT_EQ(cluster_.broker(1).replicas->stats().partitions, 0);
  cluster_.cut.clear();
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  EXPECT_EQ(cluster_.Produce(1, kT0, "new").base_offset, 0);
}

TEST_F(ReplicaManagerTest, OnlyStraysWithAnIdAreRemoved) {
  const Uuid id = cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  auto& logs = cluster_.broker(3).logs;
  auto& mine = cluster_.broker(1).logs;
  logs.strays = {
      {{"t", 0}, id}, {{"gone", 0}, TestUuid(7)}, {{"x", 0}, Uuid()}};
  mine.strays = {{{"t", 0}, id}};
  const auto image = cluster_.broker(3).metadata.Get();
  cluster_.broker(3).replicas->RemoveStrays(image);
  cluster_.broker(1).replicas->RemoveStrays(image);
  EXPECT_THAT(logs.removed, ElementsAre(kT0, TopicPartition{"gone", 0}));
  EXPECT_TRUE(mine.removed.empty());
}

class Recorder final : public LeadershipListener {
 public:
  void OnLeader(const TopicPartition& p, LeaderEpoch epoch) override {
    told.push_back("+" + ToString(p) + "@" + std::to_string(epoch));
  }
  void OnNotLeader(const TopicPartition& p, LeaderEpoch epoch) override {
    told.push_back("-" + ToString(p) + "@" + std::to_string(epoch));
  }
  std::vector<std::string> told;
};

TEST_F(ReplicaManagerTest, ListenersHearOfLeadership) {
  Recorder recorder;
  cluster_.broker(1).replicas->Listen("t", &recorder);
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.CreateTopic("other", 1, {1, 2}, 1, {1, 2});
  cluster_.Elect("t", 0, 2, {1, 2});
  cluster_.Elect("t", 0, 1, {1, 2});
  EXPECT_THAT(recorder.told, ElementsAre("+t-0@0", "-t-0@1", "+t-0@2"));
}

TEST_F(ReplicaManagerTest, CoordinatorAppendIsFencedByEpoch) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  std::optional<Result<Offset>> stale, good;
  auto& replicas = *cluster_.broker(1).replicas;
  replicas.AppendCommitted(kT0, 5, SharedBytes(BatchOf("a")), {}, seconds(5),
                           cluster_.executor,
                           [&](Result<Offset> r) { stale = r; });
  replicas.AppendCommitted(kT0, 0, SharedBytes(BatchOf("a", 3)), {}, seconds(5),
                           cluster_.executor,
                           [&](Result<Offset> r) { good = r; });
  cluster_.executor.RunFor(milliseconds(10));
  ASSERT_TRUE(stale && good);
  EXPECT_EQ(stale->error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(**good, 2);
}

TEST_F(ReplicaManagerTest, HighWatermarksAreCheckpointed) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.Produce(1, kT0, "a");
  cluster_.executor.RunFor(seconds(6));
  EXPECT_EQ(cluster_.broker(1).logs.high_watermarks[kT0], 1);
}

}  // namespace
}  // namespace tidemark::replication
