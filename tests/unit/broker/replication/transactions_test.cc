// Transactions at partitions of whole brokers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/record/batch_reader.h"
#include "common/record/control_record.h"
#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

const TopicPartition kT1{"t", 1};

std::string Batch(ProducerId producer, int32_t sequence,
                  const std::string& value, ProducerEpoch epoch = 0) {
  record::BatchOptions options;
  options.producer_id = producer;
  options.producer_epoch = epoch;
  options.base_sequence = sequence;
  options.transactional = true;
  record::BatchBuilder builder(options);
  builder.Add(1'000'000, std::nullopt, value);
  return builder.Build();
}

class TransactionsTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.CreateTopic("t", 2, {1, 2, 3}, 1, {1, 2, 3});
    cluster_.executor.RunFor(seconds(1));
  }
  ProduceOutcome Send(ProduceItem item, NodeId at = 1) {
    std::optional<ProduceOutcome> outcome;
    cluster_.broker(at).replicas->Produce(
        {std::move(item)}, -1, seconds(30), cluster_.executor,
        [&](std::vector<ProduceOutcome> all) { outcome = all.at(0); });
    cluster_.executor.RunFor(seconds(1));
    return *outcome;
  }
  // With its coordinator asked.
  ProduceOutcome Write(const std::string& batch, NodeId at = 1,
                       const TopicPartition& to = kT0) {
    auto outcome = Send({to, SharedBytes(batch)}, at);
    if (outcome.verify == 0) return outcome;
    return Send({to, SharedBytes(batch), outcome.verify}, at);
  }
  void StartEnd(std::vector<MarkerItem> items,
                std::optional<std::vector<ErrorCode>>* errors, NodeId at = 1) {
    cluster_.broker(at).replicas->AppendMarkers(
        std::move(items), seconds(5), cluster_.executor,
        [errors](std::vector<ErrorCode> all) { *errors = all; });
  }
  std::vector<ErrorCode> End(std::vector<MarkerItem> items, NodeId at = 1) {
    std::optional<std::vector<ErrorCode>> errors;
    StartEnd(std::move(items), &errors, at);
    cluster_.executor.RunFor(seconds(6));
    return *errors;
  }
  Offset Stable(NodeId at = 1) {
    Partition& partition = *cluster_.Replica(at, kT0);
    return partition.log().LastStableOffset(partition.high_watermark());
  }

  TestCluster cluster_{3};
};

TEST_F(TransactionsTest, AnUnverifiedBatchIsNotAppended) {
  const auto asked = Send({kT0, SharedBytes(Batch(7, 0, "a"))});
  EXPECT_EQ(asked.error, ErrorCode::kNotEnoughReplicas);
  ASSERT_NE(asked.verify, 0u);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 0);
  const auto done = Send({kT0, SharedBytes(Batch(7, 0, "a")), asked.verify});
  EXPECT_EQ(done.error, ErrorCode::kNone);
  EXPECT_EQ(done.verify, 0u);
  EXPECT_EQ(done.base_offset, 0);
}

// Those behind the first are not taken for such as follow a refused one.
TEST_F(TransactionsTest, PipelinedFirstBatchesAreAllVerified) {
  std::vector<uint64_t> guards;
  for (int i = 0; i < 3; ++i) {
    guards.push_back(Send({kT0, SharedBytes(Batch(7, i, "a"))}).verify);
  }
  EXPECT_THAT(guards, ElementsAre(guards[0], guards[0], guards[0]));
  EXPECT_EQ(Send({kT0, SharedBytes(Batch(7, 1, "a")), guards[0]}).error,
            ErrorCode::kNotEnoughReplicas)
      << "not in front of the first";
  for (int i = 0; i < 3; ++i) {
    const auto done = Send({kT0, SharedBytes(Batch(7, i, "a")), guards[0]});
    EXPECT_EQ(done.error, ErrorCode::kNone);
    EXPECT_EQ(done.base_offset, i);
  }
}

TEST_F(TransactionsTest, WhatCoordinatorsAppendIsVerifiedToo) {
  auto& replicas = *cluster_.broker(1).replicas;
  const auto append = [&](uint64_t guard) {
    std::optional<Result<Offset>> last;
    replicas.AppendCommitted(kT0, 0, SharedBytes(Batch(7, -1, "offset")),
                             {.verified = guard}, seconds(5), cluster_.executor,
                             [&](Result<Offset> r) { last = r; });
    cluster_.executor.RunFor(seconds(1));
    return *last;
  };
  const auto begin = [&](const TopicPartition& at, NodeId broker) {
    std::optional<Result<uint64_t>> guard;
    cluster_.broker(broker).replicas->BeginVerification(
        at, 7, 0, cluster_.executor, [&](Result<uint64_t> r) { guard = r; });
    cluster_.executor.RunFor(milliseconds(10));
    return *guard;
  };
  EXPECT_EQ(append(0).error().code, ErrorCode::kInvalidTxnState);
  const auto guard = begin(kT0, 1);
  ASSERT_TRUE(guard && *guard != 0);
  EXPECT_THAT(End({{kT0, 7, 0, true}}), ElementsAre(ErrorCode::kNone));
  EXPECT_EQ(append(*guard).error().code, ErrorCode::kInvalidTxnState)
      << "a marker came first";
  EXPECT_EQ(append(*begin(kT0, 1)).value_or(-1), 1);
  EXPECT_EQ(begin(kT0, 1).value_or(1), 0u);
  EXPECT_EQ(begin(kT0, 2).error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(begin({"nope", 0}, 1).error().code,
            ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(TransactionsTest, AMarkerIsKafkasBytes) {
  EXPECT_THAT(End({{kT0, 7, 3, true, 5, 2}}), ElementsAre(ErrorCode::kNone));
  const auto read =
      cluster_.Replica(1, kT0)->log().Read(0, INT64_MAX, 1 << 20, true);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 78u);
  const auto header = record::ParseAndVerifyBatch(read->view());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->attributes,
            record::kTransactionalBit | record::kControlBit);
  EXPECT_EQ(header->producer_id, 7);
  EXPECT_EQ(header->producer_epoch, 3);
  EXPECT_EQ(header->base_sequence, -1);
  EXPECT_EQ(header->record_count, 1);
  EXPECT_THAT(log::MarkerIn(*header, read->view()),
              testing::Optional(record::TransactionMarker{
                  record::ControlRecordType::kCommit, 5}));
  // As a broker of Apache Kafka 4.x wrote it for coordinator epoch 0.
  std::string kafkas("\0\0\0\1\x20\0\0\0\x08\0\0\0\1\x0c\0\0\0\0\0\0\0", 21);
  kafkas[19] = 5;
  EXPECT_EQ(read->view().substr(record::kRecordCountAt), kafkas);
}

TEST_F(TransactionsTest, AMarkerIsDoneWhenItIsCommitted) {
  EXPECT_EQ(Write(Batch(7, 0, "a")).error, ErrorCode::kNone);
  EXPECT_EQ(Stable(), 0);
  for (NodeId id : {2, 3}) cluster_.broker(id).logs.hold_syncs = true;
  std::optional<std::vector<ErrorCode>> errors;
  StartEnd({{kT0, 7, 0, true, 5, 0}}, &errors);
  cluster_.executor.RunFor(milliseconds(100));
  EXPECT_FALSE(errors);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 2);
  EXPECT_EQ(Stable(), 0) << "nobody may see it yet";
  for (NodeId id : {2, 3}) {
    auto& logs = cluster_.broker(id).logs;
    logs.hold_syncs = false;
    for (auto& sync : std::exchange(logs.held, {})) sync();
  }
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(errors);
  EXPECT_THAT(*errors, ElementsAre(ErrorCode::kNone));
  EXPECT_EQ(Stable(), 2);
}

TEST_F(TransactionsTest, EveryMarkerHasItsOwnError) {
  EXPECT_EQ(Write(Batch(7, 0, "a", 3)).error, ErrorCode::kNone);
  EXPECT_THAT(End({{kT0, 7, 2, false, 5, 0},
                   {kT1, 7, 3, false, 5, 0},
                   {{"t", 9}, 7, 3, false, 5, 0},
                   {kT0, 7, 4, false, 5, 2},
                   {kT0, 7, 4, false, 4, 2}}),
              ElementsAre(ErrorCode::kInvalidProducerEpoch, ErrorCode::kNone,
                          ErrorCode::kUnknownTopicOrPartition, ErrorCode::kNone,
                          ErrorCode::kTransactionCoordinatorFenced));
  EXPECT_THAT(End({{kT0, 7, 4, false, 5, 2}}, 2),
              ElementsAre(ErrorCode::kNotLeaderOrFollower));
  EXPECT_THAT(End({}), ElementsAre());
}

TEST_F(TransactionsTest, AMarkerWaitsForEnoughReplicas) {
  EXPECT_EQ(Write(Batch(7, 0, "a")).error, ErrorCode::kNone);
  cluster_.cut = {{2, 1}, {3, 1}};
  EXPECT_THAT(End({{kT0, 7, 0, true, 5, 0}}),
              ElementsAre(ErrorCode::kRequestTimedOut));
  EXPECT_EQ(Stable(), 0);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(Stable(), 2);
  EXPECT_THAT(End({{kT0, 7, 0, true, 5, 0}}), ElementsAre(ErrorCode::kNone));
}

TEST_F(TransactionsTest, LeadershipVoidsWhatWasVerified) {
  const uint64_t guard = Send({kT0, SharedBytes(Batch(7, 0, "a"))}).verify;
  cluster_.Elect("t", 0, 2, {1, 2, 3});
  cluster_.Elect("t", 0, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(10));
  const auto late = Send({kT0, SharedBytes(Batch(7, 0, "a")), guard});
  EXPECT_NE(late.verify, 0u);
  EXPECT_NE(late.verify, guard);
}

TEST_F(TransactionsTest, ProducersAreDescribedByTheLeader) {
  EXPECT_EQ(Write(Batch(7, 0, "a", 3)).error, ErrorCode::kNone);
  EXPECT_EQ(Write(Batch(8, 0, "a")).error, ErrorCode::kNone);
  EXPECT_THAT(End({{kT0, 7, 3, true, 5, 0}}), ElementsAre(ErrorCode::kNone));
  auto describe = [&](NodeId at, const TopicPartition& name) {
    std::optional<Result<std::vector<ActiveProducer>>> answer;
    cluster_.broker(at).replicas->DescribeProducers(
        name, cluster_.executor, [&](auto producers) { answer = producers; });
    cluster_.executor.RunFor(milliseconds(1));
    return *answer;
  };
  const auto producers = describe(1, kT0);
  ASSERT_TRUE(producers);
  ASSERT_EQ(producers->size(), 2u);
  for (const ActiveProducer& producer : *producers) {
    const bool open = producer.producer_id == 8;
    EXPECT_EQ(producer.transaction_start, open ? 1 : -1);
    EXPECT_EQ(producer.coordinator_epoch, open ? -1 : 5);
    EXPECT_EQ(producer.producer_epoch, open ? 0 : 3);
    EXPECT_EQ(producer.last_sequence, 0);
  }
  EXPECT_EQ(describe(2, kT0).error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(describe(1, {"t", 9}).error().code,
            ErrorCode::kUnknownTopicOrPartition);
}

// --- reads

using AbortedTransactions =
    std::vector<kafka::FetchResponse::AbortedTransaction>;

class ReadCommittedTest : public TransactionsTest {
 protected:
  static kafka::FetchRequest Ask(Offset from, int32_t max_wait_ms = 0,
                                 int8_t isolation = 1) {
    kafka::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.isolation_level = isolation;
    auto& topic = request.topics.emplace_back();
    topic.topic = "t";
    auto& asked = topic.partitions.emplace_back();
    asked.fetch_offset = from;
    asked.partition_max_bytes = 1 << 20;
    return request;
  }
  void Fetch(kafka::FetchRequest request,
             std::optional<kafka::FetchResponse>* response, NodeId at = 1) {
    FetchCall call;
    call.version = 12;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    cluster_.broker(at).fetch->Fetch(
        call, std::move(request),
        [response](kafka::FetchResponse r) { *response = std::move(r); });
    cluster_.executor.Drain();
  }
  kafka::FetchResponse::PartitionData Read(Offset from, int8_t isolation = 1,
                                           NodeId at = 1,
                                           int32_t max_bytes = 1 << 20) {
    std::optional<kafka::FetchResponse> response;
    auto request = Ask(from, 0, isolation);
    request.topics[0].partitions[0].partition_max_bytes = max_bytes;
    Fetch(request, &response, at);
    cluster_.executor.RunFor(milliseconds(10));
    return std::move(response->responses.at(0).partitions.at(0));
  }
  static std::vector<Offset> OffsetsIn(
      const kafka::FetchResponse::PartitionData& data) {
    std::vector<Offset> offsets;
    const auto bytes = data.records->Load();
    CHECK(bytes);
    record::BatchIterator batches(bytes->view());
    while (auto batch = *batches.Next()) {
      offsets.push_back(batch->header.base_offset);
    }
    return offsets;
  }
  Offset Latest(bool read_committed, int64_t timestamp = -1) {
    OffsetQuery query;
    query.partition = kT0;
    query.timestamp = timestamp;
    query.read_committed = read_committed;
    std::optional<Offset> latest;
    cluster_.broker(1).fetch->FindOffsets(
        {query}, cluster_.executor, nullptr,
        [&](std::vector<Result<log::TimestampedOffset>> all) {
          latest = all.at(0)->offset;
        });
    cluster_.executor.RunFor(milliseconds(10));
    return *latest;
  }
  void WriteOne(ProducerId producer) {
    ASSERT_EQ(Write(Batch(producer, next_[producer]++, "v")).error,
              ErrorCode::kNone);
  }
  void Finish(ProducerId producer, bool commit) {
    ASSERT_THAT(End({{kT0, producer, 0, commit, 1, 0}}),
                ElementsAre(ErrorCode::kNone));
  }

  std::map<ProducerId, int32_t> next_;
};

TEST_F(ReadCommittedTest, EndsAtTheLastStableOffset) {
  cluster_.Produce(1, kT0, "plain");  // 0
  WriteOne(7);                        // 1
  cluster_.Produce(1, kT0, "plain");  // 2
  for (const int8_t isolation : {0, 1}) {
    const auto data = Read(0, isolation);
    EXPECT_EQ(data.high_watermark, 3);
    EXPECT_EQ(data.last_stable_offset, 1);
    EXPECT_EQ(OffsetsIn(data).size(), isolation == 0 ? 3u : 1u);
    EXPECT_EQ(data.aborted_transactions.has_value(), isolation == 1);
  }
  EXPECT_EQ(Latest(false), 3);
  EXPECT_EQ(Latest(true), 1);
  EXPECT_EQ(Latest(false, 0), 0);
  EXPECT_EQ(Latest(true, 0), 0);
  EXPECT_THAT(OffsetsIn(Read(2)), ElementsAre()) << "behind it is no error";
  Finish(7, false);  // 3
  const auto data = Read(0);
  EXPECT_EQ(data.last_stable_offset, 4);
  EXPECT_THAT(OffsetsIn(data), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*data.aborted_transactions,
              ElementsAre(AbortedTransactions::value_type{7, 1}));
  EXPECT_EQ(Latest(true), 4);
  EXPECT_FALSE(Read(0, 0).aborted_transactions);
}

TEST_F(ReadCommittedTest, IsToldWhatOverlapsTheAnswerAndNothingElse) {
  for (int i = 0; i < 3; ++i) {
    WriteOne(7);       // 0 3 6
    WriteOne(8);       // 1, 4, 7
    Finish(7, false);  // 2 5 8
  }
  Finish(8, false);  // 9
  const auto one = Read(3, 1, 1, 1);
  EXPECT_THAT(OffsetsIn(one), ElementsAre(3));
  EXPECT_THAT(*one.aborted_transactions,
              UnorderedElementsAre(AbortedTransactions::value_type{7, 3},
                                   AbortedTransactions::value_type{8, 1}));
  EXPECT_EQ(Read(0).aborted_transactions->size(), 4u);
  EXPECT_THAT(*Read(9).aborted_transactions,
              ElementsAre(AbortedTransactions::value_type{8, 1}));
  EXPECT_THAT(*Read(10).aborted_transactions, ElementsAre());
}

TEST_F(ReadCommittedTest, AFetchIsWokenWhenAMarkerIsCommitted) {
  WriteOne(7);
  std::optional<kafka::FetchResponse> committed, all;
  Fetch(Ask(0, 10000), &committed);
  Fetch(Ask(1, 10000, 0), &all);
  cluster_.Produce(1, kT0, "plain");
  cluster_.executor.RunFor(milliseconds(50));
  EXPECT_TRUE(all);
  EXPECT_FALSE(committed) << "nothing is stable yet";
  Finish(7, true);
  ASSERT_TRUE(committed);
  EXPECT_THAT(OffsetsIn(committed->responses[0].partitions[0]),
              ElementsAre(0, 1, 2));
}

TEST_F(ReadCommittedTest, MinBytesAreStableOnes) {
  WriteOne(7);
  for (int i = 0; i < 5; ++i) cluster_.Produce(1, kT0, "plain");
  auto request = Ask(0, 10000);
  request.min_bytes = 300;
  std::optional<kafka::FetchResponse> response;
  Fetch(request, &response);
  cluster_.executor.RunFor(milliseconds(50));
  EXPECT_FALSE(response);
  std::optional<std::vector<ErrorCode>> errors;
  StartEnd({{kT0, 7, 0, true, 5, 0}}, &errors);
  cluster_.executor.RunFor(milliseconds(50));
  ASSERT_TRUE(response) << "they are all there now";
}

TEST_F(ReadCommittedTest, ASessionHearsOfWhatBecomesStable) {
  WriteOne(7);
  auto request = Ask(0);
  request.session_epoch = 0;
  std::optional<kafka::FetchResponse> response;
  Fetch(request, &response);
  ASSERT_TRUE(response);
  kafka::FetchRequest next;
  next.isolation_level = 1;
  next.session_id = response->session_id;
  next.session_epoch = 1;
  response.reset();
  Fetch(next, &response);
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->responses.empty());
  // What it rests at is another for who reads everything.
  next.session_epoch = 2;
  next.isolation_level = 0;
  response.reset();
  Fetch(next, &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses.size(), 1u);
  next.session_epoch = 3;
  next.isolation_level = 1;
  next.max_wait_ms = 10000;
  next.min_bytes = 1;
  response.reset();
  Fetch(next, &response);
  EXPECT_FALSE(response);
  Finish(7, true);
  ASSERT_TRUE(response);
  EXPECT_THAT(OffsetsIn(response->responses.at(0).partitions.at(0)),
              ElementsAre(0, 1));
}

// F104: transactions of one producer, all in one fetch, beside an open one of
// another that began between them.
TEST_F(ReadCommittedTest, AFollowerThatLaggedKnowsWhatWasAborted) {
  cluster_.cut = {{2, 1}};
  cluster_.ChangePartition("t", 0, {1, 3}, std::nullopt);
  cluster_.Produce(1, kT0, "plain");      // 0
  cluster_.executor.RunFor(seconds(60));  // 2 is not waited for any more
  WriteOne(7);                            // 1
  Finish(7, false);                       // 2
  WriteOne(7);                            // 3
  Finish(7, false);                       // 4
  WriteOne(8);                            // 5
  WriteOne(7);                            // 6
  Finish(7, false);                       // 7
  WriteOne(9);                            // 8
  EXPECT_LE(cluster_.Replica(2, kT0)->log().end_offset(), 1);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(2));
  EXPECT_EQ(cluster_.Replica(2, kT0)->log().end_offset(), 9);
  cluster_.Elect("t", 0, 2, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  const auto data = Read(0, 1, 2);
  EXPECT_THAT(OffsetsIn(data), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(data.last_stable_offset, 5);
  EXPECT_THAT(*data.aborted_transactions,
              ElementsAre(AbortedTransactions::value_type{7, 1},
                          AbortedTransactions::value_type{7, 3}));
  EXPECT_THAT(End({{kT0, 8, 0, true, 1, 0}, {kT0, 9, 0, true, 1, 0}}, 2),
              ElementsAre(ErrorCode::kNone, ErrorCode::kNone));
  EXPECT_EQ(Read(0, 1, 2).aborted_transactions->size(), 3u);
}

}  // namespace
}  // namespace tidemark::replication
