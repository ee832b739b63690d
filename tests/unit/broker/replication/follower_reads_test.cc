// Consumers that read from followers (KIP-392).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FollowerReadsTest : public testing::Test {
 protected:
  FollowerReadsTest() {
    std::vector<metadata::v1::Record> records;
    for (const int id : {1, 2, 3}) {
      metadata::v1::Record record;
      auto* broker = record.mutable_register_broker();
      broker->set_broker_id(id);
      broker->set_broker_epoch(id);
      broker->set_incarnation_id(TestUuid(static_cast<uint8_t>(id)).ToBytes());
      broker->set_rack("rack-" + std::to_string(id));
      auto* endpoint = broker->add_endpoints();
      endpoint->set_name("PLAINTEXT");
      endpoint->set_host("broker");
      endpoint->set_port(static_cast<uint32_t>(id));
      records.push_back(record);
    }
    cluster_.Commit(records);
    cluster_.CreateTopic("t", 1, {1, 2, 3}, 1, {1, 2, 3});
    for (int i = 0; i < 3; ++i) cluster_.Produce(1, kT0, "a");
    cluster_.executor.RunFor(seconds(1));
  }
  // Asks `at` from `offset` on, waiting up to 100 ms for a record.
  kafka::FetchResponse::PartitionData Fetch(NodeId at, Offset offset,
                                            const std::string& rack,
                                            bool rack_aware = true,
                                            int16_t version = 12) {
    TestBroker& broker = cluster_.broker(at);
    FetchService::Options options;
    options.rack_aware = rack_aware;
    FetchService service(*broker.replicas, broker.metadata, options);
    kafka::FetchRequest request;
    request.max_wait_ms = 100;
    request.min_bytes = 1;
    request.rack_id = rack;
    kafka::FetchRequest::FetchPartition asked;
    asked.fetch_offset = offset;
    asked.partition_max_bytes = 1 << 20;
    request.topics.push_back({"t", Uuid(), {asked}});
    FetchCall call;
    call.version = version;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    std::optional<kafka::FetchResponse> response;
    const Instant before = cluster_.executor.Now();
    service.Fetch(call, request,
                  [&](kafka::FetchResponse r) { response = std::move(r); });
    while (!response) cluster_.executor.RunFor(milliseconds(1));
    waited_ = cluster_.executor.Now() - before;
    return response->responses.at(0).partitions.at(0);
  }

  TestCluster cluster_{3};
  Duration waited_{};
};

TEST_F(FollowerReadsTest, TheLeaderNamesTheReplicaOfTheRack) {
  const auto there = Fetch(1, 0, "rack-2");
  EXPECT_EQ(there.error_code, 0);
  EXPECT_EQ(there.preferred_read_replica, 2);
  EXPECT_TRUE(there.records->empty());
  EXPECT_LT(waited_, milliseconds(10)) << "it is told at once";
  EXPECT_EQ(Fetch(1, 3, "rack-2").preferred_read_replica, 2)
      << "at the end as well";
}

TEST_F(FollowerReadsTest, ThereItReadsWhatIsCommitted) {
  const auto read = Fetch(2, 0, "rack-2");
  EXPECT_EQ(read.error_code, 0);
  EXPECT_EQ(read.preferred_read_replica, -1);
  EXPECT_EQ(read.high_watermark, 3);
  EXPECT_FALSE(read.records->empty());
}

TEST_F(FollowerReadsTest, AWaitingConsumerIsWokenByTheFollowersHighWatermark) {
  std::optional<ProduceOutcome> outcome;
  cluster_.executor.PostAfter(milliseconds(5), [&] {
    cluster_.StartProduce(1, kT0, "b", -1, &outcome);
  });
  const auto read = Fetch(2, 3, "rack-2");
  EXPECT_EQ(read.error_code, 0);
  EXPECT_FALSE(read.records->empty());
  EXPECT_LT(waited_, milliseconds(60));
}

// Nobody pays for it where nobody reads.
TEST_F(FollowerReadsTest, AFollowerAsksForItOnlyWhileSomebodyReadsThere) {
  const auto fetches = [&] {
    const int before = cluster_.fetches[{2, 1}];
    for (int i = 0; i < 10; ++i) cluster_.Produce(1, kT0, "b");
    return cluster_.fetches[{2, 1}] - before;
  };
  const int alone = fetches();
  Fetch(2, 0, "rack-2");
  cluster_.executor.RunFor(milliseconds(100));
  EXPECT_GT(fetches(), alone);
  cluster_.executor.RunFor(seconds(60));
  EXPECT_EQ(fetches(), alone);
}

TEST_F(FollowerReadsTest, OthersAreServedByTheLeader) {
  EXPECT_FALSE(Fetch(1, 0, "rack-1").records->empty());
  EXPECT_FALSE(Fetch(1, 0, "rack-9").records->empty());
  EXPECT_FALSE(Fetch(1, 0, "").records->empty());
  EXPECT_FALSE(Fetch(1, 0, "rack-2", false).records->empty())
      << "unless configured, nobody is sent away";
  EXPECT_FALSE(Fetch(1, 0, "rack-2", true, 10).records->empty())
      << "an old client would not understand";
  for (const auto& answer :
       {Fetch(2, 0, "rack-2", true, 10), Fetch(2, 0, "", true, 12)}) {
    EXPECT_EQ(answer.error_code,
              static_cast<int16_t>(ErrorCode::kNotLeaderOrFollower))
        << "nor would it, or who has no rack, know what a follower has not got";
  }
}

TEST_F(FollowerReadsTest, NobodyIsSentToWhoCannotServe) {
  cluster_.cut.insert({2, 1});
  cluster_.executor.RunFor(seconds(1));
  cluster_.Produce(1, kT0, "b", 1);
  EXPECT_FALSE(Fetch(1, 4, "rack-2").preferred_read_replica >= 0)
      << "it has not got so far";
  EXPECT_EQ(Fetch(1, 1, "rack-2").preferred_read_replica, 2);
  cluster_.ChangePartition("t", 0, {1, 3}, std::nullopt);
  EXPECT_EQ(Fetch(1, 1, "rack-2").preferred_read_replica, -1) << "not in sync";
  EXPECT_EQ(Fetch(2, 9, "rack-2").error_code,
            static_cast<int16_t>(ErrorCode::kOffsetOutOfRange))
      << "and who goes there with more than it has goes back";
}

TEST_F(FollowerReadsTest, AnotherEpochIsRefused) {
  cluster_.Elect("t", 0, 3, {1, 2, 3});
  cluster_.executor.RunFor(seconds(1));
  EXPECT_EQ(Fetch(2, 0, "rack-2").error_code, 0);
  EXPECT_EQ(Fetch(3, 0, "rack-1").preferred_read_replica, 1);
}

}  // namespace
}  // namespace tidemark::replication
