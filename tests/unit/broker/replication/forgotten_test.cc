// A replica that was away while its leader forgot deletions (broker/log/
// forgotten.h).

#include <optional>
#include <string>
#include <utility>

#include "broker/log/compaction.h"
#include "tests/unit/broker/log/cleaning_fixture.h"
#include "tests/unit/broker/replication/partition_fixture.h"

namespace tidemark::replication {
namespace {

constexpr int64_t kNowMs = 1'000'000;
constexpr int64_t kRetention = 1000;

log::LogConfig Compacted() {
  log::LogConfig config;
  config.compacted = true;
  config.delete_enabled = false;
  config.segment_bytes = 600;
  config.delete_retention_ms = kRetention;
  config.index_interval_bytes = 100;
  return config;
}

class ForgottenTest : public PartitionTest {
 protected:
  ForgottenTest() : leader_(Make(1, 1)), follower_(Make(2, 1)) {
    for (Replica* replica : {&leader_, &follower_}) {
      replica->partition->UpdateConfig(Compacted(), 1);
    }
    // Whoever is told to begin anew is not in sync.
    Lead({1}, 1);
  }

  void Lead(std::vector<NodeId> isr, LeaderEpoch epoch) {
    for (Replica* replica : {&leader_, &follower_}) {
      replica->partition->ApplyRow(Row(isr, 1, epoch, epoch), kStart);
    }
  }
  void Write(const std::string& key, std::optional<std::string> value) {
    record::BatchBuilder builder;
    std::optional<std::string_view> view;
    if (value) view = *value;
    builder.Add(kNowMs, key, view);
    ASSERT_TRUE(leader_.partition->AppendAsLeader(
        builder.Build(), 1, AppendOrigin::kClient, kStart, kNowMs));
    Sync(leader_);
  }
  void Fill() {
    for (int i = 0; i < 8; ++i) {
      Write("filler" + std::to_string(i), std::string(200, 'f'));
    }
  }
  void Clean(int64_t now_ms, bool polite = false) {
    log::Log& log = leader_.partition->log();
    auto what = log.FindCleanable(leader_.partition->high_watermark(), now_ms);
    ASSERT_TRUE(what && *what);
    (*what)->forgets_nothing = polite && !leader_.partition->MayForget(kStart);
    auto keys = log::KeyOffsets::Make(1 << 16, 0.9, {1, 2});
    ASSERT_TRUE(keys);
    log::DirectLog direct(log);
    log::NoPace pace;
    log::LogCleaning cleaning(leader_.disk, **what, *keys, direct, pace,
                              now_ms);
    const auto outcome = cleaning.Run();
    ASSERT_TRUE(outcome);
    ASSERT_EQ(*outcome, log::LogCleaning::Outcome::kDone);
  }
  // The deletion of `key` is settled, its time passes, and it goes.
  void Forget() {
    Clean(kNowMs);
    Fill();
    Clean(kNowMs + kRetention + 1);
  }
  void CatchUp() {
    for (int i = 0; i < 100; ++i) {
      (void)Fetch(follower_, leader_);
      if (log::Log& log = follower_.partition->log();
          log.end_offset() == leader_.partition->log().end_offset()) {
        return Sync(follower_);
      }
    }
    FAIL() << "it never has all";
  }
  static log::Table TableAt(Replica& replica) {
    return log::TableOf(log::ReadLog(replica.partition->log(), false));
  }
  void ExpectTheSame() { EXPECT_EQ(TableAt(follower_), TableAt(leader_)); }

  Replica& leader_;
  Replica& follower_;
};

TEST_F(ForgottenTest, OneThatWasAwayHasNothingThatWasDeleted) {
  Write("a", "value");
  Fill();
  CatchUp();
  Write("a", std::nullopt);  // it is away
  Fill();
  Forget();
  ASSERT_FALSE(TableAt(leader_).contains("a"));
  ASSERT_TRUE(TableAt(follower_).contains("a"));
  const log::Forgotten forgotten = leader_.partition->log().forgotten();
  EXPECT_GT(forgotten.below, follower_.partition->log().end_offset());

  const FetchAnswer answer = Fetch(follower_, leader_);
  EXPECT_EQ(answer.error, ErrorCode::kOffsetOutOfRange);
  ASSERT_TRUE(answer.begin_anew);
  EXPECT_EQ(*answer.begin_anew, forgotten);
  EXPECT_EQ(follower_.partition->log().forgotten(), forgotten);
  EXPECT_EQ(follower_.partition->log().end_offset(), 0);
  CatchUp();
  ExpectTheSame();
}

TEST_F(ForgottenTest, OneThatHadItAllGoesOn) {
  Write("a", "value");
  Write("a", std::nullopt);
  Fill();
  Clean(kNowMs);
  Fill();
  CatchUp();
  const Offset end = follower_.partition->log().end_offset();
  Clean(kNowMs + kRetention + 1);
  ASSERT_NE(leader_.partition->log().forgotten().id, 0);
  Fill();
  const FetchAnswer answer = Fetch(follower_, leader_);
  EXPECT_FALSE(answer.begin_anew);
  EXPECT_GT(follower_.partition->log().end_offset(), end);
  CatchUp();
  ExpectTheSame();
}

// It has begun after the last deletion was forgotten.
TEST_F(ForgottenTest, ACopyIsBegunOnce) {
  Write("a", "value");
  Write("a", std::nullopt);
  Fill();
  Forget();
  ASSERT_TRUE(Fetch(follower_, leader_).begin_anew);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Fetch(follower_, leader_).begin_anew);
  }
  CatchUp();
  ExpectTheSame();
}

TEST_F(ForgottenTest, WhatIsForgottenWhileItIsCopiedMakesTheCopyBeginAnew) {
  Write("a", "value");
  Fill();
  Forget();
  ASSERT_TRUE(Fetch(follower_, leader_).begin_anew == std::nullopt);
  CatchUp();
  ASSERT_TRUE(TableAt(follower_).contains("a"));
  Write("a", std::nullopt);
  Fill();
  Forget();
  ASSERT_TRUE(Fetch(follower_, leader_).begin_anew);
  CatchUp();
  ExpectTheSame();
}

TEST_F(ForgottenTest, ALeaderForgetsNothingBeforeItsCopiesAreThere) {
  Write("a", "value");
  Write("a", std::nullopt);
  Fill();
  Clean(kNowMs);
  Fill();
  EXPECT_TRUE(leader_.partition->MayForget(kStart));
  (void)Fetch(follower_, leader_);
  leader_.env.contacts[2] = kStart;
  EXPECT_FALSE(leader_.partition->MayForget(kStart));
  Clean(kNowMs + kRetention + 1, true);
  EXPECT_EQ(leader_.partition->log().forgotten().id, 0);
  // One that comes no more is not waited for.
  EXPECT_TRUE(leader_.partition->MayForget(kStart + leader_.env.lag_max +
                                           std::chrono::milliseconds(1)));
}

// Whatever it has lost else, it may be the only one that has something.
TEST_F(ForgottenTest, OneThatIsInSyncKeepsItsLog) {
  Write("a", "value");
  Write("a", std::nullopt);
  Fill();
  Forget();
  Lead({1, 2}, 2);
  EXPECT_FALSE(Fetch(follower_, leader_).begin_anew);
}

TEST_F(ForgottenTest, OneThatSaysNothingIsNotAsked) {
  Write("a", "value");
  Write("a", std::nullopt);
  Fill();
  Forget();
  FollowerFetch fetch;
  fetch.replica = 2;
  fetch.broker_epoch = 1;
  fetch.current_leader_epoch = 1;
  fetch.flushed_offset = 0;
  const FetchAnswer answer =
      leader_.partition->FetchAsFollower(fetch, 1 << 20, true, kStart);
  EXPECT_EQ(answer.error, ErrorCode::kNone);
}

}  // namespace
}  // namespace tidemark::replication
