// What a follower's fetcher decides, without a leader, a clock or a log.

#include "broker/replication/fetch_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_log.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr NodeId kLeader = 1;
const Uuid kTopic = TestUuid(1);

class FetchLoopTest : public testing::Test {
 protected:
  FetchLoopTest() : loop_(Options(), kLeader) {}

  static FetcherOptions Options() {
    FetcherOptions options;
    options.self = 2;
    return options;
  }
  static TopicPartition Name(PartitionIndex index) { return {"t", index}; }

  void Add(PartitionIndex index) {
    auto& at = positions_[Name(index)];
    at.leader = kLeader;
    loop_.Add(Name(index), kTopic);
  }
  FetchLoop::Ready Take() {
    return loop_.Take(now_, 7, [this](const TopicPartition& name) {
      const auto it = positions_.find(name);
      return it == positions_.end()
                 ? std::nullopt
                 : std::optional<FetchPositionOfFollower>(it->second);
    });
  }
  static std::vector<PartitionIndex> Asked(const kafka::FetchRequest& request) {
    std::vector<PartitionIndex> asked;
    for (const auto& topic : request.topics) {
      for (const auto& p : topic.partitions) asked.push_back(p.partition);
    }
    return asked;
  }
  static std::vector<PartitionIndex> Forgotten(
      const kafka::FetchRequest& request) {
    std::vector<PartitionIndex> forgotten;
    for (const auto& topic : request.forgotten_topics_data) {
      for (const auto p : topic.partitions) forgotten.push_back(p);
    }
    return forgotten;
  }
  static kafka::FetchResponse::PartitionData Data(PartitionIndex index) {
    kafka::FetchResponse::PartitionData data;
    data.partition_index = index;
    return data;
  }
  // Answers the fetch that is out; each partition `moves` or stays, and is on
  // disk at once unless `unflushed`.
  void Answer(uint64_t round,
              std::vector<kafka::FetchResponse::PartitionData> data,
              Offset moves, bool unflushed = false) {
    Result<kafka::FetchResponse> response = kafka::FetchResponse();
    response->session_id = 5;
    response->responses.push_back({"", kTopic, std::move(data)});
    for (const auto& arrival : loop_.FetchDone(round, response, now_)) {
      const auto it = positions_.find(arrival.name);
      if (it != positions_.end()) {
        it->second.fetch_offset += moves;
        if (!unflushed) it->second.flushed_offset = it->second.fetch_offset;
      }
      loop_.Applied(arrival,
                    it == positions_.end()
                        ? std::nullopt
                        : std::optional<FetchPositionOfFollower>(it->second),
                    now_);
    }
  }

  FetchLoop loop_;
  std::map<TopicPartition, FetchPositionOfFollower> positions_;
  Instant now_{seconds(1000)};
};

TEST_F(FetchLoopTest, AsksForEverythingOnceAndThenForWhatMoved) {
  for (int i = 0; i < 3; ++i) Add(i);
  auto ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_EQ(ready.fetch->session_epoch, 0);
  EXPECT_EQ(ready.fetch->replica_state.replica_epoch, 7);
  EXPECT_THAT(Asked(*ready.fetch), ElementsAre(0, 1, 2));
  EXPECT_FALSE(Take().fetch) << "one at a time";
  auto data = Data(1);
  data.records = SharedBytes(std::string("x"));
  Answer(ready.round, {data}, 1);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_EQ(ready.fetch->session_id, 5);
  EXPECT_EQ(ready.fetch->session_epoch, 1);
  EXPECT_THAT(Asked(*ready.fetch), ElementsAre(1));
  EXPECT_EQ(ready.fetch->topics[0].partitions[0].fetch_offset, 1);
}

TEST_F(FetchLoopTest, WhatGetsNowhereLeavesTheSessionAndPauses) {
  Add(0);
  Add(1);
  auto ready = Take();
  auto data = Data(0);
  data.records = SharedBytes(std::string("refused"));
  Answer(ready.round, {data}, 0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_THAT(Asked(*ready.fetch), IsEmpty());
  EXPECT_THAT(Forgotten(*ready.fetch), ElementsAre(0));
  ASSERT_TRUE(ready.wake);
  EXPECT_EQ(*ready.wake, now_ + milliseconds(20));
}

TEST_F(FetchLoopTest, PausesDoubleUntilSomethingMoves) {
  Add(0);
  auto data = Data(0);
  data.error_code = static_cast<int16_t>(ErrorCode::kKafkaStorageError);
  std::vector<int64_t> pauses;
  for (int i = 0; i < 7; ++i) {
    auto ready = Take();
    ASSERT_TRUE(ready.fetch) << i;
    Answer(ready.round, {data}, 0);
    ready = Take();
    EXPECT_FALSE(ready.fetch);
    ASSERT_TRUE(ready.wake);
    pauses.push_back((*ready.wake - now_) / milliseconds(1));
    now_ = *ready.wake;
  }
  EXPECT_THAT(pauses, ElementsAre(20, 40, 80, 160, 320, 500, 500));
}

TEST_F(FetchLoopTest, TheEndOfAPauseDoesNotRecallAParkedFetch) {
  Add(0);
  Add(1);
  auto ready = Take();
  auto data = Data(0);
  data.error_code = static_cast<int16_t>(ErrorCode::kKafkaStorageError);
  Answer(ready.round, {data}, 0);
  ready = Take();
  now_ += seconds(1);
  auto after = Take();
  EXPECT_FALSE(after.report);
  EXPECT_FALSE(after.fetch);
  Answer(ready.round, {}, 0);
  EXPECT_THAT(Asked(*Take().fetch), ElementsAre(0));
}

// B-22: the leader of a new epoch may hear of it later than its followers.
TEST_F(FetchLoopTest, ALateLeaderIsAskedAgainAFewTimesAtOnce) {
  Add(0);
  Add(1);
  auto ready = Take();
  int recalls = 0;
  for (int i = 0; i < 20; ++i) {
    auto data = Data(0);
    data.error_code = static_cast<int16_t>(ErrorCode::kUnknownLeaderEpoch);
    Answer(ready.round, {data}, 0);
    ready = Take();
    ASSERT_TRUE(ready.fetch);
    ASSERT_TRUE(ready.wake);
    now_ = *ready.wake;
    if (const auto next = Take(); next.report) {
      EXPECT_EQ(next.report->ends_wait.session_epoch,
                ready.fetch->session_epoch);
      loop_.ReportDone(kafka::FetchResponse(), now_);
      ++recalls;
    }
    Answer(ready.round, {}, 0);
    ready = Take();
  }
  EXPECT_EQ(recalls, 4);
}

TEST_F(FetchLoopTest, WhatBeginsASessionDoesNotWait) {
  Add(0);
  auto ready = Take();
  EXPECT_EQ(ready.fetch->max_wait_ms, 0);
  Answer(ready.round, {Data(0)}, 0);
  ready = Take();
  EXPECT_EQ(ready.fetch->session_epoch, 1);
  EXPECT_EQ(ready.fetch->max_wait_ms, 500);
}

TEST_F(FetchLoopTest, ALeaderWithoutRoomForASessionIsNotAskedInATightLoop) {
  Add(0);
  loop_.FetchDone(Take().round, kafka::FetchResponse(), now_);
  const auto ready = Take();
  EXPECT_EQ(ready.fetch->session_epoch, 0);
  EXPECT_GT(ready.fetch->max_wait_ms, 0);
}

class RecallTest : public FetchLoopTest {
 protected:
  // A fetch of partition 0 is parked.
  RecallTest() {
    Add(0);
    Answer(Take().round, {Data(0)}, 0);
    parked_ = Take();
  }

  FetchLoop::Ready parked_;
};

TEST_F(RecallTest, WhatJoinsCostsWhatJoins) {
  Add(1);
  auto ready = Take();
  EXPECT_FALSE(ready.fetch) << "one at a time";
  ASSERT_TRUE(ready.report);
  EXPECT_EQ(ready.report->ends_wait.session_id, 5);
  EXPECT_EQ(ready.report->ends_wait.session_epoch, 1);
  EXPECT_THAT(Asked(*ready.report), IsEmpty());
  Answer(parked_.round, {}, 0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_EQ(ready.fetch->session_epoch, 2) << "of the same session";
  EXPECT_THAT(Asked(*ready.fetch), ElementsAre(1));
}

TEST_F(RecallTest, AtMostEvery5Ms) {
  Add(1);
  ASSERT_TRUE(Take().report);
  loop_.ReportDone(kafka::FetchResponse(), now_);
  Add(2);
  auto ready = Take();
  EXPECT_FALSE(ready.report) << "this round is called back already";
  Answer(parked_.round, {}, 0);
  EXPECT_THAT(Asked(*Take().fetch), ElementsAre(1, 2));
  Add(3);
  ready = Take();
  EXPECT_FALSE(ready.report);
  ASSERT_TRUE(ready.wake);
  EXPECT_EQ(*ready.wake, now_ + milliseconds(5));
  now_ = *ready.wake;
  ASSERT_TRUE(Take().report);
}

TEST_F(RecallTest, OneThatMayNotHaveArrivedIsRepeated) {
  Add(1);
  ASSERT_TRUE(Take().report);
  loop_.ReportDone(Fail(ErrorCode::kNetworkException, "cut"), now_);
  auto ready = Take();
  EXPECT_FALSE(ready.report);
  ASSERT_TRUE(ready.wake);
  now_ = *ready.wake;
  ready = Take();
  ASSERT_TRUE(ready.report);
  EXPECT_EQ(ready.report->ends_wait.session_epoch, 1);
}

TEST_F(RecallTest, GoesWithWhatIsReportedAnyway) {
  positions_[Name(0)].flushed_offset = 1;
  loop_.Flushed(Name(0), now_);
  Add(1);
  const auto ready = Take();
  ASSERT_TRUE(ready.report);
  EXPECT_EQ(ready.report->ends_wait.session_id, 5);
  EXPECT_THAT(Asked(*ready.report), ElementsAre(0));
}

TEST_F(FetchLoopTest, AFailedPartitionIsForgottenByTheSession) {
  Add(0);
  Add(1);
  auto ready = Take();
  positions_.erase(Name(0));
  auto data = Data(0);
  data.records = SharedBytes(std::string("x"));
  Answer(ready.round, {data}, 0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_THAT(Asked(*ready.fetch), IsEmpty());
  EXPECT_THAT(Forgotten(*ready.fetch), ElementsAre(0));
  loop_.Remove(Name(1));
  Answer(ready.round, {}, 0);
  EXPECT_FALSE(Take().fetch) << "nothing left to ask for";
}

TEST_F(FetchLoopTest, WhatTheSessionStillHoldsIsForgotten) {
  Add(0);
  auto ready = Take();
  Answer(ready.round, {Data(9)}, 0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_THAT(Forgotten(*ready.fetch), ElementsAre(9));
}

TEST_F(FetchLoopTest, ATopicMadeAnewReplacesTheOldOneInTheSession) {
  Add(0);
  auto ready = Take();
  Answer(ready.round, {}, 0);
  ready = Take();
  loop_.Remove(Name(0));
  loop_.Add(Name(0), TestUuid(2));
  Answer(ready.round, {}, 0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  ASSERT_EQ(ready.fetch->forgotten_topics_data.size(), 1u);
  EXPECT_EQ(ready.fetch->forgotten_topics_data[0].topic_id, kTopic);
  EXPECT_EQ(ready.fetch->topics[0].topic_id, TestUuid(2));
}

TEST_F(FetchLoopTest, AFlushIsReportedBesideAParkedFetch) {
  Add(0);
  Add(1);
  auto fetch = Take();
  positions_[Name(1)].flushed_offset = 4;
  loop_.Flushed(Name(1), now_);
  auto ready = Take();
  EXPECT_FALSE(ready.fetch);
  ASSERT_TRUE(ready.report);
  EXPECT_EQ(ready.report->session_epoch, -1);
  EXPECT_EQ(ready.report->max_wait_ms, 0);
  EXPECT_THAT(Asked(*ready.report), ElementsAre(1));
  EXPECT_EQ(ready.report->topics[0].partitions[0].partition_max_bytes, 0);
  loop_.Flushed(Name(0), now_);
  EXPECT_FALSE(Take().report) << "one at a time";
  Result<kafka::FetchResponse> lost = Fail(ErrorCode::kNetworkException);
  EXPECT_THAT(loop_.ReportDone(lost, now_), IsEmpty());
  ready = Take();
  EXPECT_FALSE(ready.report);
  EXPECT_EQ(*ready.wake, now_ + milliseconds(10));
  now_ = *ready.wake;
  EXPECT_THAT(Asked(*Take().report), ElementsAre(0, 1)) << "nothing was lost";
}

class HeldFetchTest : public FetchLoopTest {
 protected:
  // An answer with a batch that the disk has not got yet.
  void Receive(PartitionIndex index) {
    auto data = Data(index);
    data.records = SharedBytes(std::string("x"));
    Answer(fetch_.round, {data}, 1, true);
  }
  void Flush(PartitionIndex index) {
    auto& at = positions_[Name(index)];
    at.flushed_offset = at.fetch_offset;
    loop_.Flushed(Name(index), now_);
  }
  FetchLoop::Ready fetch_;
};

TEST_F(HeldFetchTest, TheNextFetchWaitsForAQuickDiskAndSaysWhatItHas) {
  Add(0);
  Add(1);
  fetch_ = Take();
  Receive(0);
  auto ready = Take();
  EXPECT_FALSE(ready.fetch);
  EXPECT_FALSE(ready.report);
  ASSERT_TRUE(ready.wake);
  EXPECT_EQ(*ready.wake, now_ + milliseconds(2));
  now_ += milliseconds(1);
  Flush(0);
  ready = Take();
  ASSERT_TRUE(ready.fetch);
  EXPECT_FALSE(ready.report);
  EXPECT_THAT(Asked(*ready.fetch), ElementsAre(0));
  EXPECT_EQ(ready.fetch->topics[0].partitions[0].flushed_offset, 1);
}

TEST_F(HeldFetchTest, ADiskThatTakesLongerIsNotWaitedForUntilItIsQuickAgain) {
  Add(0);
  fetch_ = Take();
  Receive(0);
  EXPECT_FALSE(Take().fetch);
  now_ += milliseconds(2);
  fetch_ = Take();
  ASSERT_TRUE(fetch_.fetch);
  Receive(0);
  fetch_ = Take();
  ASSERT_TRUE(fetch_.fetch) << "the disk is slow";
  now_ += milliseconds(3);
  Flush(0);
  EXPECT_TRUE(Take().report) << "beside the fetch that is out";
  Receive(0);
  fetch_ = Take();
  ASSERT_TRUE(fetch_.fetch) << "it has taken too long";
  now_ += milliseconds(1);
  Flush(0);
  Receive(0);
  EXPECT_FALSE(Take().fetch) << "it was quick";
}

TEST_F(HeldFetchTest, ANewEpochWaitsForNoDisk) {
  Add(0);
  fetch_ = Take();
  Receive(0);
  EXPECT_FALSE(Take().fetch);
  Add(1);
  EXPECT_TRUE(Take().fetch);
}

TEST_F(HeldFetchTest, WhatIsRemovedIsNotWaitedFor) {
  Add(0);
  Add(1);
  fetch_ = Take();
  Receive(0);
  EXPECT_FALSE(Take().fetch);
  loop_.Remove(Name(0));
  EXPECT_TRUE(Take().fetch);
}

TEST_F(FetchLoopTest, ABrokenConnectionIsTriedAgainEverMoreSlowly) {
  Add(0);
  std::vector<int64_t> pauses;
  for (int i = 0; i < 9; ++i) {
    auto ready = Take();
    ASSERT_TRUE(ready.fetch);
    EXPECT_EQ(ready.fetch->session_epoch, 0);
    EXPECT_THAT(
        loop_.FetchDone(ready.round, Fail(ErrorCode::kNetworkException), now_),
        IsEmpty());
    ready = Take();
    EXPECT_FALSE(ready.fetch);
    pauses.push_back((*ready.wake - now_) / milliseconds(1));
    now_ = *ready.wake;
  }
  EXPECT_THAT(pauses, ElementsAre(10, 20, 40, 80, 160, 320, 640, 1000, 1000));
}

}  // namespace
}  // namespace tidemark::replication
