// Whole brokers, without sockets, with faults in their disks, links and peers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

using Link = std::pair<NodeId, NodeId>;

class FaultsTest : public testing::Test {
 protected:
  // A fetch of one partition by a client.
  static kafka::FetchRequest Ask(const TopicPartition& partition, Offset from,
                                 int32_t max_wait_ms) {
    kafka::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    kafka::FetchRequest::FetchPartition asked;
    asked.partition = partition.partition;
    asked.fetch_offset = from;
    asked.partition_max_bytes = 1 << 20;
    request.topics.push_back({partition.topic, {}, {asked}});
    return request;
  }
  void Fetch(NodeId at, kafka::FetchRequest request,
             std::optional<kafka::FetchResponse>* response,
             std::shared_ptr<Cancellation> cancellation = nullptr) {
    FetchCall call;
    call.version = 12;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    call.cancellation = std::move(cancellation);
    cluster_.broker(at).fetch->Fetch(
        call, std::move(request),
        [response](kafka::FetchResponse r) { *response = std::move(r); });
    cluster_.executor.Drain();
  }
  static int16_t CodeOf(const kafka::FetchResponse& response) {
    return response.responses.at(0).partitions.at(0).error_code;
  }

  TestCluster cluster_{3};
};

// A leader that nobody but clients reaches; found as an idempotent producer
// that went back to it and was told OUT_OF_ORDER_SEQUENCE_NUMBER.
TEST_F(FaultsTest, AnIsolatedLeaderSendsItsClientsAway) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.CreateTopic("own", 1, {1}, 1, {1});
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  cluster_.broker(1).replicas->SetControllersSilent(true);
  cluster_.executor.RunFor(seconds(5));
  // All controllers are down: the followers still come.
  EXPECT_EQ(cluster_.Produce(1, kT0, "b").error, ErrorCode::kNone);
  cluster_.cut = {Link{2, 1}, Link{3, 1}};
  cluster_.executor.RunFor(seconds(5));
  const Offset end = cluster_.Replica(1, kT0)->log().end_offset();
  const ProduceOutcome refused = cluster_.Produce(1, kT0, "c", 1);
  EXPECT_EQ(refused.error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(refused.leader, kNoNode) << "it must not send them to itself";
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), end);
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, end, 0), &response);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(CodeOf(*response),
            static_cast<int16_t>(ErrorCode::kNotLeaderOrFollower));
  EXPECT_EQ(cluster_.Produce(1, {"own", 0}, "d").error, ErrorCode::kNone)
      << "nobody else can lead it";
  // One follower is enough to know that no other leader has been elected.
  cluster_.cut = {Link{2, 1}};
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.Produce(1, kT0, "e", 1).error, ErrorCode::kNone);
  cluster_.cut = {Link{2, 1}, Link{3, 1}};
  cluster_.broker(1).replicas->SetControllersSilent(false);
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.Produce(1, kT0, "f", 1).error, ErrorCode::kNone);
}

// D3
TEST_F(FaultsTest, AFollowerWhoseDiskHasFailedStopsFetching) {
  cluster_.CreateTopic("t", 2, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  cluster_.broker(2).disk.FailWrites("t-0");
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", 1, &outcome);
  cluster_.executor.RunFor(milliseconds(100));
  ASSERT_TRUE(cluster_.Replica(2, kT0)->failed());
  cluster_.StartProduce(1, kT0, "b", 1, &outcome);
  cluster_.executor.RunFor(milliseconds(100));
  cluster_.fetches.clear();
  cluster_.bytes.clear();
  cluster_.executor.RunFor(seconds(10));
  EXPECT_LE((cluster_.fetches[Link{2, 1}]), 44) << "two shards, every 500 ms";
  EXPECT_EQ((cluster_.bytes[Link{2, 1}]), 0u);
  EXPECT_EQ(cluster_.Produce(1, {"t", 1}, "c").error, ErrorCode::kNone)
      << "the other partition goes on";
}

// D3: the controllers' next row for the failed replica must not start it again.
TEST_F(FaultsTest, AFailedFollowerStaysAwayWhateverItsRowSays) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  cluster_.broker(2).disk.FailWrites("t-0");
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", 1, &outcome);
  cluster_.executor.RunFor(milliseconds(100));
  cluster_.ChangePartition("t", 0, {1}, std::nullopt);
  cluster_.Elect("t", 0, 1, {1});
  cluster_.executor.RunFor(milliseconds(100));
  cluster_.fetches.clear();
  cluster_.executor.RunFor(seconds(10));
  EXPECT_EQ((cluster_.fetches[Link{2, 1}]), 0);
}

// D12
TEST_F(FaultsTest, APartitionThatKeepsFailingDoesNotCloseConnections) {
  cluster_.CreateTopic("bad", 1, {1, 2}, 1, {1, 2});
  cluster_.CreateTopic("t", 2, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_EQ(cluster_.Produce(1, {"bad", 0}, "a").error, ErrorCode::kNone);
  cluster_.broker(1).disk.FailReads("bad-0");
  std::optional<ProduceOutcome> outcome;
  cluster_.cut.insert({2, 1});
  cluster_.StartProduce(1, {"bad", 0}, "b", 1, &outcome);
  cluster_.executor.RunFor(seconds(2));
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(3));
  cluster_.closes.clear();
  cluster_.fetches.clear();
  cluster_.executor.RunFor(seconds(10));
  EXPECT_EQ((cluster_.closes[Link{2, 1}]), 0);
  EXPECT_LE((cluster_.fetches[Link{2, 1}]), 100);
  EXPECT_EQ(cluster_.Produce(1, kT0, "c").error, ErrorCode::kNone);
}

// D27
TEST_F(FaultsTest, AFollowerStartsOverInsideABatchAtTheBatchsBase) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1});
  cluster_.cut.insert({2, 1});
  std::optional<ProduceOutcome> outcome;
  cluster_.broker(1).replicas->Produce(
      {{kT0, SharedBytes(BatchOf("batch", 10))}}, 1, seconds(30),
      cluster_.executor,
      [&](std::vector<ProduceOutcome> all) { outcome = all.at(0); });
  cluster_.executor.RunFor(seconds(1));
  ASSERT_TRUE(cluster_.Replica(1, kT0)->log().AdvanceStartOffset(5));
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.Replica(2, kT0)->log().end_offset(), 10);
  EXPECT_EQ(cluster_.Replica(2, kT0)->log().start_offset(), 5);
  cluster_.fetches.clear();
  cluster_.executor.RunFor(seconds(10));
  EXPECT_LE((cluster_.fetches[Link{2, 1}]), 24);
}

// D26
TEST_F(FaultsTest, ABatchWithoutItsMagicIsCorruptToClients) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  ASSERT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  ASSERT_EQ(cluster_.Produce(1, kT0, "b").error, ErrorCode::kNone);
  constexpr uint64_t kMagic = 16;
  cluster_.broker(1).disk.FlipBit("/data/t-0/00000000000000000000.log", kMagic,
                                  2);
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 0), &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(CodeOf(*response),
            static_cast<int16_t>(ErrorCode::kCorruptMessage));
}

// D24
TEST_F(FaultsTest, ALogThatDoesNotOpenIsAStorageErrorAndTriedAgain) {
  cluster_.broker(1).logs.fail_open = true;
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(cluster_.broker(1).replicas->stats().offline, 1);
  cluster_.broker(1).logs.fail_open = false;
  cluster_.executor.RunFor(seconds(6));
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  EXPECT_EQ(cluster_.broker(1).replicas->stats().offline, 0);
}

// D25, and the waiters of a failed partition are told.
TEST_F(FaultsTest, AFailedDirectoryTellsWhoeverWaitsAtAnyOfItsPartitions) {
  TestBroker& leader = cluster_.broker(1);
  leader.logs.health = std::make_shared<log::DirectoryHealth>(
      "/data", [&](const Error&) { leader.replicas->DirectoryFailed(); });
  cluster_.CreateTopic("t", 2, {1, 2}, 1, {1, 2});
  cluster_.CreateTopic("other", 1, {1, 2}, 1, {1, 2});
  cluster_.executor.RunFor(seconds(1));
  cluster_.cut.insert({2, 1});
  std::optional<ProduceOutcome> waiting;
  cluster_.StartProduce(1, {"other", 0}, "a", -1, &waiting);
  std::optional<kafka::FetchResponse> fetching;
  Fetch(1, Ask({"t", 1}, 0, 20000), &fetching);
  cluster_.executor.RunFor(milliseconds(50));
  ASSERT_FALSE(waiting);
  ASSERT_FALSE(fetching);
  leader.disk.FailWrites("t-0");
  EXPECT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kKafkaStorageError);
  cluster_.executor.RunFor(milliseconds(1));
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->error, ErrorCode::kKafkaStorageError);
  ASSERT_TRUE(fetching);
  EXPECT_EQ(CodeOf(*fetching),
            static_cast<int16_t>(ErrorCode::kKafkaStorageError));
  EXPECT_EQ(leader.replicas->stats().offline, 3);
}

TEST_F(FaultsTest, HighWatermarksThatStandStillAreNotWritten) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  ASSERT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  cluster_.executor.RunFor(seconds(6));
  const int before = cluster_.broker(1).logs.high_watermark_writes;
  cluster_.executor.RunFor(seconds(60));
  EXPECT_EQ(cluster_.broker(1).logs.high_watermark_writes, before);
}

// D21
TEST_F(FaultsTest, AParkedFetchEndsWithItsConnection) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  auto cancellation = std::make_shared<Cancellation>();
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 100000), &response, cancellation);
  cluster_.executor.RunFor(seconds(1));
  ASSERT_FALSE(response);
  cancellation->Cancel();
  cluster_.executor.Drain();
  EXPECT_TRUE(response);
}

// It was held by itself for ever.
TEST_F(FaultsTest, AParkedFetchGoesWithItsService) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> seen = held;
  FetchCall call;
  call.version = 12;
  call.listener = "PLAINTEXT";
  call.on = &cluster_.executor;
  cluster_.broker(1).fetch->Fetch(
      call, Ask(kT0, 0, 100000),
      [held = std::move(held)](const kafka::FetchResponse&) {});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_FALSE(seen.expired());
  cluster_.executor.DropAll();
  cluster_.broker(1).fetch = nullptr;
  EXPECT_TRUE(seen.expired());
}

// Each left one behind that ran out long after its answer.
TEST_F(FaultsTest, AnsweredFetchesLeaveNoTimers) {
  cluster_.CreateTopic("t", 1, {1}, 1, {1});
  const size_t before = cluster_.executor.waiting();
  for (int i = 0; i < 50; ++i) {
    std::optional<kafka::FetchResponse> response;
    Fetch(1, Ask(kT0, i, 100000), &response);
    cluster_.executor.Drain();
    ASSERT_FALSE(response);
    ASSERT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
    cluster_.executor.Drain();
    ASSERT_TRUE(response);
  }
  EXPECT_LE(cluster_.executor.waiting(), before + 5);
}

TEST_F(FaultsTest, ASessionIsFreeAgainWhenItsConnectionHasGone) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  auto request = Ask(kT0, 0, 0);
  request.session_epoch = 0;
  std::optional<kafka::FetchResponse> response;
  Fetch(1, request, &response);
  kafka::FetchRequest next;
  next.session_id = response->session_id;
  next.session_epoch = 1;
  next.max_wait_ms = 100000;
  next.min_bytes = 1;
  auto cancellation = std::make_shared<Cancellation>();
  response.reset();
  Fetch(1, next, &response, cancellation);
  ASSERT_FALSE(response);
  cancellation->Cancel();
  next.session_epoch = 2;
  next.max_wait_ms = 0;
  response.reset();
  Fetch(1, next, &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->error_code, 0);
}

TEST_F(FaultsTest, NoFetchWaitsForEver) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, INT32_MAX), &response);
  cluster_.executor.RunFor(std::chrono::minutes(6));
  EXPECT_TRUE(response);
}

// D22
TEST_F(FaultsTest, MinBytesCountsWhatWasThereAlready) {
  cluster_.CreateTopic("t", 2, {1, 2}, 1, {1, 2});
  for (int i = 0; i < 3; ++i) cluster_.Produce(1, kT0, "a");  // 69 bytes each
  auto request = Ask(kT0, 0, 10000);
  auto other = request.topics[0].partitions[0];
  other.partition = 1;
  request.topics[0].partitions.push_back(other);
  request.min_bytes = 250;
  std::optional<kafka::FetchResponse> response;
  Fetch(1, request, &response);
  EXPECT_FALSE(response);
  cluster_.Produce(1, {"t", 1}, "b");
  cluster_.executor.RunFor(milliseconds(2));
  EXPECT_TRUE(response) << "207 bytes were there, and 69 came";
}

// D20
TEST_F(FaultsTest, AStandingHighWatermarkCostsNoMemory) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1});
  cluster_.cut.insert({2, 1});
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(cluster_.Produce(1, kT0, "a", 1).error, ErrorCode::kNone);
  }
  EXPECT_EQ(cluster_.Replica(1, kT0)->high_watermark(), 0);
  EXPECT_LE(cluster_.Replica(1, kT0)->uncommitted_entries(), 256u);
}

// D23
TEST_F(FaultsTest, AStrangerIsNoFollower) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.cut = {{2, 1}, {3, 1}};
  cluster_.executor.RunFor(seconds(1));
  std::optional<ProduceOutcome> outcome;
  cluster_.StartProduce(1, kT0, "a", -1, &outcome);
  cluster_.executor.RunFor(milliseconds(100));
  struct Row {
    NodeId replica;
    BrokerEpoch epoch;
    Offset flushed;
    ErrorCode error;
  };
  for (const Row& row : {Row{2, -1, 1, ErrorCode::kClusterAuthorizationFailed},
                         Row{3, 3, -1, ErrorCode::kClusterAuthorizationFailed},
                         Row{2, 1, 1, ErrorCode::kStaleBrokerEpoch},
                         Row{2, 999, 1, ErrorCode::kBrokerIdNotRegistered},
                         Row{77, 5, 1, ErrorCode::kBrokerIdNotRegistered}}) {
    auto request = Ask(kT0, 1, 0);
    request.replica_id = row.replica;
    request.replica_state.replica_epoch = row.epoch;
    request.topics[0].partitions[0].flushed_offset = row.flushed;
    std::optional<kafka::FetchResponse> response;
    Fetch(1, request, &response);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->error_code, static_cast<int16_t>(row.error));
  }
  EXPECT_EQ(cluster_.Replica(1, kT0)->high_watermark(), 0);
  EXPECT_FALSE(outcome);
}

// D8: corruption is never served and never wins.
class CorruptionTest : public FaultsTest {
 protected:
  // Records "a", "b", "c" with the value of the second changed on a disk.
  void Corrupt(NodeId at) {
    const auto& log = cluster_.Replica(at, kT0)->log();
    const auto all = cluster_.Replica(at, kT0)->log().Read(0, 3, 9999, true);
    ASSERT_TRUE(all);
    ASSERT_EQ(log.end_offset(), 3);
    const size_t batch = all->size() / 3;
    cluster_.broker(at).disk.FlipBit("/data/t-0/00000000000000000000.log",
                                     2 * batch - 2, 1);
  }
  void Write() {
    for (const char* value : {"a", "b", "c"}) {
      ASSERT_EQ(cluster_.Produce(1, kT0, value).error, ErrorCode::kNone);
    }
    cluster_.executor.RunFor(seconds(1));
  }
  std::string Bytes(NodeId at) {
    return std::string(
        cluster_.Replica(at, kT0)->log().Read(0, 3, 9999, true)->view());
  }
};

TEST_F(CorruptionTest, ACorruptLeaderServesWhatIsGoodAndGivesUp) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  Write();
  Corrupt(1);
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 0), &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->responses[0].partitions[0].records->size(),
            Bytes(2).size() / 3);
  response.reset();
  Fetch(1, Ask(kT0, 1, 0), &response);
  ASSERT_TRUE(response);
  EXPECT_EQ(CodeOf(*response),
            static_cast<int16_t>(ErrorCode::kCorruptMessage));
  cluster_.executor.RunFor(seconds(5));
  EXPECT_NE(cluster_.image().FindPartition("t", 0)->leader, 1);
  EXPECT_EQ(Bytes(1), Bytes(2)) << "fetched again";
  EXPECT_EQ(Bytes(1), Bytes(3));
  EXPECT_THAT(cluster_.image().FindPartition("t", 0)->isr,
              UnorderedElementsAre(1, 2, 3));
  EXPECT_FALSE(cluster_.Replica(1, kT0)->corrupt_from());
}

// What is read only when it is sent: the answer breaks off, and the next one
// says why.
TEST_F(CorruptionTest, AnAnswerThatTurnsOutCorruptBreaksOff) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  const std::string big(50'000, 'x');
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(cluster_.Produce(1, kT0, big).error, ErrorCode::kNone);
  }
  cluster_.executor.RunFor(seconds(1));
  std::optional<kafka::FetchResponse> response;
  Fetch(1, Ask(kT0, 0, 0), &response);
  ASSERT_TRUE(response);
  const Payload records = *response->responses[0].partitions[0].records;
  ASSERT_NE(records.source(), nullptr) << "small enough to be read at once";
  EXPECT_EQ(records.size(),
            cluster_.Replica(2, kT0)->log().Read(0, 3, 1 << 20, true)->size());
  cluster_.broker(1).disk.FlipBit("/data/t-0/00000000000000000000.log", 75'000,
                                  1);
  const auto read = records.Load();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorruptMessage);
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.broker(1).replicas->stats().corrupt_reads, 1);
  EXPECT_NE(cluster_.image().FindPartition("t", 0)->leader, 1);
  EXPECT_EQ(*cluster_.Replica(1, kT0)->log().Read(0, 3, 1 << 20, true),
            *cluster_.Replica(2, kT0)->log().Read(0, 3, 1 << 20, true))
      << "fetched again";
}

TEST_F(CorruptionTest, AFollowerThatIsBehindMakesTheLeaderGiveUp) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2});
  cluster_.cut.insert({3, 1});
  Write();
  Corrupt(1);
  cluster_.cut.clear();
  cluster_.executor.RunFor(seconds(5));
  EXPECT_EQ(cluster_.image().FindPartition("t", 0)->leader, 2);
  EXPECT_EQ(Bytes(3), Bytes(2));
  EXPECT_EQ(Bytes(1), Bytes(2));
}

TEST_F(CorruptionTest, TheLastInSyncReplicaKeepsWhatItHasAndServesNoBadByte) {
  cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2});
  Write();
  cluster_.cut.insert({2, 1});
  cluster_.executor.RunFor(seconds(1));  // the fetch that is parked ends
  cluster_.ChangePartition("t", 0, {1}, std::nullopt);
  Corrupt(1);
  for (int i = 0; i < 3; ++i) {
    std::optional<kafka::FetchResponse> response;
    Fetch(1, Ask(kT0, 1, 0), &response);
    ASSERT_TRUE(response);
    EXPECT_EQ(CodeOf(*response),
              static_cast<int16_t>(ErrorCode::kCorruptMessage));
    cluster_.executor.RunFor(seconds(1));
  }
  EXPECT_EQ(cluster_.image().FindPartition("t", 0)->leader, 1);
  EXPECT_EQ(cluster_.Replica(1, kT0)->log().end_offset(), 3);
  EXPECT_GE(cluster_.broker(1).replicas->stats().corrupt_reads, 3);
}

// Whoever waits for memory is answered when he wants to be, if only with how
// far he may read.
TEST_F(FaultsTest, AFetchWithoutMemoryEndsAtItsDeadline) {
  cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  ASSERT_EQ(cluster_.Produce(1, kT0, "a").error, ErrorCode::kNone);
  const auto budget = MemoryBudget::Make(100'000);
  MemoryBudget::Lease hog = budget->NewLease();
  // One may overdraw.
  MemoryBudget::Lease overdrawn = budget->NewLease();
  ASSERT_TRUE(hog.Take(100'000));
  overdrawn.TakeLater(1, cluster_.executor, [] {});
  cluster_.executor.Drain();
  const size_t used = budget->used();
  const auto fetch = [&](int32_t max_wait_ms,
                         std::optional<kafka::FetchResponse>* response,
                         std::shared_ptr<Cancellation> cancellation) {
    FetchCall call;
    call.version = 12;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    call.cancellation = std::move(cancellation);
    call.memory = std::make_shared<MemoryBudget::Lease>(budget->NewLease());
    cluster_.broker(1).fetch->Fetch(
        call, Ask(kT0, 0, max_wait_ms),
        [response](kafka::FetchResponse r) { *response = std::move(r); });
    cluster_.executor.Drain();
  };
  const auto expect_empty = [&](std::optional<kafka::FetchResponse>* response) {
    ASSERT_TRUE(response->has_value());
    const auto& data = (*response)->responses.at(0).partitions.at(0);
    EXPECT_EQ(data.error_code, 0);
    EXPECT_EQ(data.high_watermark, 1);
    EXPECT_EQ(data.records ? data.records->size() : 0, 0u);
    EXPECT_EQ(budget->waiting(), 0u);
    EXPECT_EQ(budget->used(), used);
    response->reset();
  };
  std::optional<kafka::FetchResponse> response;
  fetch(300, &response, nullptr);
  cluster_.executor.RunFor(milliseconds(299));
  EXPECT_FALSE(response);
  cluster_.executor.RunFor(milliseconds(2));
  expect_empty(&response);
  // One that would not wait at all gives others their turn.
  fetch(0, &response, nullptr);
  EXPECT_FALSE(response);
  cluster_.executor.RunFor(milliseconds(1001));
  expect_empty(&response);
  // Its client has gone.
  const auto cancellation = std::make_shared<Cancellation>();
  fetch(300, &response, cancellation);
  cancellation->Cancel();
  cluster_.executor.Drain();
  expect_empty(&response);
  // There is memory in time, and in the moment of the deadline.
  for (const auto at : {milliseconds(100), milliseconds(300)}) {
    fetch(300, &response, nullptr);
    cluster_.executor.PostAfter(at,
                                [&] { overdrawn.Release(), hog.Release(); });
    cluster_.executor.RunFor(milliseconds(301));
    ASSERT_TRUE(response);
    response.reset();
    ASSERT_TRUE(hog.Take(100'000 - budget->used()));
    overdrawn = budget->NewLease();
    overdrawn.TakeLater(1, cluster_.executor, [] {});
    cluster_.executor.Drain();
  }
  fetch(300, &response, nullptr);
  overdrawn.Release();
  hog.Release();
  cluster_.executor.RunFor(milliseconds(1));
  ASSERT_TRUE(response);
  EXPECT_GT(response->responses[0].partitions[0].records->size(), 0u);
  response.reset();
  EXPECT_EQ(budget->used(), 0u);
}

}  // namespace
}  // namespace tidemark::replication
