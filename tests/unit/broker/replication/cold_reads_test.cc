// Readers of what is not in memory: no shard waits for their disk.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/record/batch_reader.h"
#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TopicPartition kT1{"t", 1};
constexpr int kBatches = 200;

class ColdReadsTest : public testing::Test {
 protected:
  ColdReadsTest() {
    cluster_.CreateTopic("t", 2, {1, 2, 3}, 1, {1, 2, 3});
    cluster_.executor.RunFor(seconds(1));
  }

  void Fill(const TopicPartition& name, int batches = kBatches) {
    for (int i = 0; i < batches; ++i) {
      const std::string value(8000, static_cast<char>('a' + i % 26));
      ASSERT_EQ(cluster_.Produce(1, name, value, 1).error, ErrorCode::kNone);
    }
    cluster_.executor.RunFor(seconds(1));
  }
  void DropCaches() {
    leader().disk.DropCaches();
    leader().shard_waits = leader().reader.posted = 0;
  }
  // Every look at the disk by a reader, none by the shard.
  void ExpectNobodyWaited() {
    EXPECT_EQ(leader().shard_waits, 0);
    EXPECT_GT(leader().reader.posted, 0) << "it was not cold";
    EXPECT_EQ(leader().replicas->stats().cold_waits, 0);
  }
  TestBroker& leader() { return cluster_.broker(1); }

  static kafka::FetchRequest Ask(std::vector<TopicPartition> partitions,
                                 Offset from, int32_t max_wait_ms,
                                 int32_t max_bytes = 1 << 20) {
    kafka::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.max_bytes = 50 << 20;
    for (const auto& name : partitions) {
      kafka::FetchRequest::FetchPartition asked;
      asked.partition = name.partition;
      asked.fetch_offset = from;
      asked.partition_max_bytes = max_bytes;
      request.topics.push_back({name.topic, {}, {asked}});
    }
    return request;
  }
  using Response = std::optional<kafka::FetchResponse>;
  void Fetch(kafka::FetchRequest request, Response* response,
             std::shared_ptr<Cancellation> cancellation = nullptr) {
    FetchCall call;
    call.version = 12;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    call.cancellation = std::move(cancellation);
    leader().fetch->Fetch(
        call, std::move(request),
        [response](kafka::FetchResponse r) { *response = std::move(r); });
    cluster_.executor.Drain();
  }
  // Bytes of each partition of the answer. None has an error.
  static std::map<PartitionIndex, size_t> SizesIn(const Response& response) {
    std::map<PartitionIndex, size_t> sizes;
    for (const auto& topic : response->responses) {
      for (const auto& data : topic.partitions) {
        EXPECT_EQ(data.error_code, 0);
        EXPECT_EQ(data.high_watermark, kBatches);
        sizes[data.partition_index] = data.records ? data.records->size() : 0;
      }
    }
    return sizes;
  }

  TestCluster cluster_{3};
};

TEST_F(ColdReadsTest, AConsumerIsServedWithoutAWaitOfTheShard) {
  Fill(kT0);
  // Little is read at once, much when it is sent.
  for (const int32_t bytes : {20'000, 1 << 20}) {
    DropCaches();
    Response response;
    Fetch(Ask({kT0}, 100, 500, bytes), &response);
    EXPECT_FALSE(response);
    cluster_.executor.RunFor(milliseconds(50));
    ASSERT_TRUE(response);
    EXPECT_GT(SizesIn(response)[0], 10'000u);
    ExpectNobodyWaited();
    const auto records =
        response->responses[0].partitions[0].records->Load().value();
    EXPECT_EQ(record::ParseAndVerifyBatch(records.view())->base_offset, 100);
  }
}

// It will not wait for records; for the disk it would have waited, too.
TEST_F(ColdReadsTest, AFetchThatDoesNotWaitIsServedAllTheSame) {
  Fill(kT0);
  for (const bool any_bytes : {true, false}) {
    DropCaches();
    auto request = Ask({kT0}, 100, any_bytes ? 0 : 500, 20'000);
    request.min_bytes = any_bytes ? 1 : 0;
    Response response;
    Fetch(request, &response);
    cluster_.executor.RunFor(milliseconds(50));
    ASSERT_TRUE(response);
    EXPECT_GT(SizesIn(response)[0], 10'000u);
    ExpectNobodyWaited();
  }
  // But not for ever.
  DropCaches();
  leader().reader.held = true;
  Response response;
  Fetch(Ask({kT0}, 100, 0, 20'000), &response);
  cluster_.executor.RunFor(milliseconds(900));
  EXPECT_FALSE(response);
  cluster_.executor.RunFor(milliseconds(200));
  ASSERT_TRUE(response);
  EXPECT_EQ(SizesIn(response)[0], 0u);
  leader().reader.Go();
}

TEST_F(ColdReadsTest, AFollowerCatchesUpWithoutAWaitOfTheShard) {
  cluster_.cut = {{3, 1}};
  cluster_.ChangePartition("t", 0, {1, 2}, std::nullopt);
  Fill(kT0);
  ASSERT_LT(cluster_.Replica(3, kT0)->log().end_offset(), 5);
  DropCaches();
  cluster_.cut = {};
  cluster_.executor.RunFor(seconds(10));
  EXPECT_EQ(cluster_.Replica(3, kT0)->log().end_offset(), kBatches);
  EXPECT_EQ(cluster_.Replica(1, kT0)->isr().committed().size(), 3u);
  ExpectNobodyWaited();
}

// What it says of itself counts while what it asks for is looked for.
TEST_F(ColdReadsTest, AFollowersReportDoesNotWaitForTheDisk) {
  cluster_.cut = {{2, 1}, {3, 1}};
  Fill(kT0);
  Partition& partition = *cluster_.Replica(1, kT0);
  ASSERT_LT(partition.high_watermark(), 5);
  DropCaches();
  FetchAnswer answer;
  for (const NodeId id : {2, 3}) {
    io::NoWait scope;
    answer = partition.FetchAsFollower({id, id, -1, 100, -1, 100}, 1 << 20,
                                       true, cluster_.executor.Now());
    EXPECT_EQ(answer.error, ErrorCode::kNone);
    EXPECT_TRUE(answer.cold);
    EXPECT_EQ(answer.records.size(), 0u);
    EXPECT_FALSE(scope.missed().IsNothing());
  }
  EXPECT_EQ(answer.high_watermark, 100);
  EXPECT_EQ(partition.high_watermark(), 100);
}

TEST_F(ColdReadsTest, OffsetsAreFoundByTimeWithoutAWaitOfTheShard) {
  Fill(kT0);
  for (const int64_t timestamp : {int64_t{1'000'000}, int64_t{-3}}) {
    DropCaches();
    std::vector<Result<log::TimestampedOffset>> found;
    leader().fetch->FindOffsets(
        {{kT0, -1, timestamp, -1}, {kT1, -1, -2, -1}}, cluster_.executor,
        nullptr, [&](auto answers) { found = std::move(answers); });
    cluster_.executor.Drain();
    EXPECT_TRUE(found.empty());
    cluster_.executor.RunFor(milliseconds(50));
    ASSERT_EQ(found.size(), 2u);
    ASSERT_TRUE(found[0]) << ToString(found[0].error());
    EXPECT_EQ(found[0]->offset, 0);
    ExpectNobodyWaited();
  }
}

TEST_F(ColdReadsTest, CoordinatorsLoadWithoutAWaitOfTheShard) {
  Fill(kT0);
  DropCaches();
  Offset next = 0;
  std::optional<Result<LogChunk>> chunk;
  const LeaderEpoch epoch = cluster_.Replica(1, kT0)->leader_epoch();
  while (next < kBatches) {
    chunk.reset();
    leader().replicas->ReadLog(kT0, epoch, next, 128 << 10, cluster_.executor,
                               [&](Result<LogChunk> c) { chunk = c; });
    cluster_.executor.RunFor(milliseconds(50));
    ASSERT_TRUE(chunk && *chunk);
    ASSERT_GT((*chunk)->batches.size(), 0u);
    record::BatchIterator batches((*chunk)->batches.view());
    while (auto batch = *batches.Next()) next = batch->header.NextOffset();
  }
  ExpectNobodyWaited();
  // Its leadership ends while it is read for.
  DropCaches();
  leader().reader.held = true;
  chunk.reset();
  leader().replicas->ReadLog(kT0, epoch, 0, 128 << 10, cluster_.executor,
                             [&](Result<LogChunk> c) { chunk = c; });
  cluster_.executor.RunFor(milliseconds(50));
  EXPECT_FALSE(chunk);
  cluster_.Elect("t", 0, 2, {1, 2, 3});
  leader().reader.Go();
  cluster_.executor.RunFor(milliseconds(50));
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->error().code, ErrorCode::kNotLeaderOrFollower);
}

TEST_F(ColdReadsTest, OtherPartitionsAreAnsweredMeanwhile) {
  Fill(kT0);
  Fill(kT1, 1);
  DropCaches();
  Fill(kT1, kBatches - 1);
  leader().reader.held = true;
  Response response;
  Fetch(Ask({kT0, kT1}, 50, 500, 20'000), &response);
  ASSERT_TRUE(response) << "t-1 is in memory";
  auto sizes = SizesIn(response);
  EXPECT_EQ(sizes[0], 0u);
  EXPECT_GT(sizes[1], 10'000u);
  // Alone it waits as long as it may, and then asks again.
  response.reset();
  Fetch(Ask({kT0}, 50, 500, 20'000), &response);
  cluster_.executor.RunFor(milliseconds(499));
  EXPECT_FALSE(response);
  cluster_.executor.RunFor(milliseconds(2));
  ASSERT_TRUE(response);
  EXPECT_EQ(SizesIn(response)[0], 0u);
  response.reset();
  Fetch(Ask({kT0}, 50, 500, 20'000), &response);
  leader().reader.Go();
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(response);
  EXPECT_GT(SizesIn(response)[0], 10'000u);
  EXPECT_EQ(leader().shard_waits, 0);
}

// The same reader is asked once for the same, whatever wakes the fetch.
TEST_F(ColdReadsTest, OneReadAtATimeForAPartitionOfAFetch) {
  Fill(kT0);
  DropCaches();
  leader().reader.held = true;
  Response response;
  auto request = Ask({kT0, kT1}, 50, 5000, 20'000);
  request.topics[1].partitions[0].fetch_offset = 0;
  request.min_bytes = 1 << 20;
  Fetch(request, &response);
  for (int i = 0; i < 10; ++i) {
    cluster_.Produce(1, kT1, "a");
    cluster_.executor.RunFor(milliseconds(10));
  }
  EXPECT_EQ(leader().reader.posted, 1);
  EXPECT_FALSE(response);
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(6));
  EXPECT_TRUE(response);
}

TEST_F(ColdReadsTest, AFewPartitionsOfAFetcherAtATime) {
  std::vector<TopicPartition> names;
  cluster_.CreateTopic("many", 40, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  for (int i = 0; i < 40; ++i) {
    names.push_back({"many", i});
    cluster_.Produce(1, names.back(), std::string(8000, 'a'), 1);
  }
  cluster_.executor.RunFor(seconds(1));
  DropCaches();
  leader().reader.held = true;
  Response response;
  auto request = Ask(names, 0, 5000);
  request.min_bytes = 40 * 8000;
  Fetch(request, &response);
  cluster_.executor.RunFor(milliseconds(10));
  // Four of each shard.
  EXPECT_EQ(leader().reader.posted, 8);
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(1));
  ASSERT_TRUE(response);
  size_t bytes = 0;
  for (const auto& topic : response->responses) {
    for (const auto& data : topic.partitions) bytes += data.records->size();
  }
  EXPECT_GT(bytes, 40u * 8000);
  EXPECT_EQ(leader().shard_waits, 0);
}

// Better a wait of the shard than a reader who never gets there.
TEST_F(ColdReadsTest, WhatNeverStaysInMemoryIsReadInTheEnd) {
  Fill(kT0);
  DropCaches();
  Response response;
  Fetch(Ask({kT0}, 100, 500, 20'000), &response);
  cluster_.executor.RunFor(milliseconds(100));
  EXPECT_TRUE(response);
  ExpectNobodyWaited();
  leader().disk.KeepNothing(true);
  leader().reader.posted = 0;
  response.reset();
  Fetch(Ask({kT0}, 100, 500, 20'000), &response);
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(response);
  EXPECT_GT(SizesIn(response)[0], 10'000u);
  EXPECT_EQ(leader().reader.posted, ColdTries::kMost - 1);
  EXPECT_EQ(leader().replicas->stats().cold_waits, 1);
  EXPECT_GT(leader().shard_waits, 0);
  std::vector<Result<log::TimestampedOffset>> found;
  leader().fetch->FindOffsets(
      {{kT0, -1, 1'000'000, -1}}, cluster_.executor, nullptr,
      [&](auto answers) { found = std::move(answers); });
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0]);
  EXPECT_EQ(leader().replicas->stats().cold_waits, 2);
}

TEST_F(ColdReadsTest, ADiskThatFailsMeanwhileIsSeen) {
  Fill(kT0);
  DropCaches();
  leader().reader.held = true;
  Response response;
  Fetch(Ask({kT0}, 100, 500, 20'000), &response);
  EXPECT_FALSE(response);
  leader().disk.FailReads("t-0");
  leader().reader.Go();
  cluster_.executor.RunFor(milliseconds(50));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses[0].partitions[0].error_code,
            static_cast<int16_t>(ErrorCode::kKafkaStorageError));
  EXPECT_TRUE(cluster_.Replica(1, kT0)->failed());
}

TEST_F(ColdReadsTest, APartitionThatGoesMeanwhile) {
  Fill(kT0);
  DropCaches();
  leader().reader.held = true;
  Response response;
  Fetch(Ask({kT0}, 100, 500, 20'000), &response);
  EXPECT_FALSE(response);
  cluster_.Elect("t", 0, 2, {1, 2, 3});
  ASSERT_TRUE(response) << "whoever waits is told at once";
  EXPECT_EQ(response->responses[0].partitions[0].error_code,
            static_cast<int16_t>(ErrorCode::kNotLeaderOrFollower));
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(1));
  // The topic is deleted.
  cluster_.Elect("t", 0, 1, {1, 2, 3});
  DropCaches();
  leader().reader.held = true;
  response.reset();
  Fetch(Ask({kT0}, 100, 500, 20'000), &response);
  metadata::v1::Record record;
  record.mutable_remove_topic()->set_topic_id(
      cluster_.image().FindTopic("t")->id.ToBytes());
  cluster_.Commit({record});
  ASSERT_TRUE(response);
  EXPECT_NE(response->responses[0].partitions[0].error_code, 0);
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(1));
}

TEST_F(ColdReadsTest, AClientThatGoesMeanwhile) {
  Fill(kT0);
  DropCaches();
  leader().reader.held = true;
  Response response;
  auto cancellation = std::make_shared<Cancellation>();
  Fetch(Ask({kT0}, 100, 500, 20'000), &response, cancellation);
  EXPECT_FALSE(response);
  cancellation->Cancel();
  cluster_.executor.Drain();
  EXPECT_TRUE(response);
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(leader().shard_waits, 0);
}

// Nor does anybody go on looking for him.
TEST_F(ColdReadsTest, NobodyIsLookedForWhoHasGone) {
  Fill(kT0);
  DropCaches();
  auto asker = std::make_shared<Cancellation>();
  int answers = 0;
  for (int i = 0; i < 500; ++i) {
    leader().fetch->FindOffsets({{kT0, -1, 1'000'000, -1}}, cluster_.executor,
                                asker, [&](auto) { ++answers; });
  }
  leader().reader.held = true;
  cluster_.executor.Drain();
  EXPECT_EQ(leader().reader.posted, 500);
  asker.reset();
  int reads = 0;
  leader().disk.OnWait([&](const std::string&) { ++reads; });
  leader().reader.Go();
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(answers, 0);
  EXPECT_LE(reads, 65);
  EXPECT_EQ(leader().reader.posted, 500);
}

// As over a network: a look at the name is a look at the server.
TEST_F(ColdReadsTest, WhereNamesAreNeverKnownTheShardOpens) {
  Fill(kT0);
  DropCaches();
  leader().disk.KeepNothing(true);
  std::vector<Result<log::TimestampedOffset>> found;
  leader().fetch->FindOffsets(
      {{kT0, -1, 1'000'000, -1}}, cluster_.executor, nullptr,
      [&](auto answers) { found = std::move(answers); });
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0]);
  EXPECT_EQ(leader().reader.posted, 1);
  EXPECT_EQ(leader().replicas->stats().cold_waits, 1);
}

}  // namespace
}  // namespace tidemark::replication
