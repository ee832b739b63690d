// What a broker sees of those it fetches from.

#include "broker/replication/peer_watch.h"

#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;

Instant At(int ms) { return Instant() + milliseconds(ms); }
Status Refused() { return Fail(ErrorCode::kBrokerNotAvailable, "refused"); }
Status Broken() { return Fail(ErrorCode::kNetworkException, "reset"); }

TEST(FetchWatch, SilentIsWhoLetsAFetchWaitTooLong) {
  FetchWatch watch(milliseconds(500));
  EXPECT_EQ(watch.due(), std::nullopt);
  watch.Sent(At(0));
  EXPECT_EQ(watch.due(), At(700));
  watch.Done({});
  EXPECT_EQ(watch.standing(), PeerStanding::kAnswers);
  watch.Sent(At(500));
  watch.Wake(At(700));  // of the timer of before
  EXPECT_EQ(watch.standing(), PeerStanding::kAnswers);
  EXPECT_EQ(watch.due(), At(1200));
  watch.Wake(At(1200));
  EXPECT_EQ(watch.standing(), PeerStanding::kSilent);
  EXPECT_EQ(watch.due(), std::nullopt);
  watch.Done({});
  EXPECT_EQ(watch.standing(), PeerStanding::kAnswers);
}

TEST(FetchWatch, BrokenConnectionsAreNoAnswers) {
  FetchWatch watch(milliseconds(500));
  watch.Sent(At(0));
  watch.Done(Broken());
  EXPECT_EQ(watch.standing(), PeerStanding::kUnknown);
  watch.Sent(At(600));
  watch.Wake(At(700));
  EXPECT_EQ(watch.standing(), PeerStanding::kSilent);
}

TEST(FetchWatch, WhereNobodyListensIsNobody) {
  FetchWatch watch(milliseconds(500));
  watch.Sent(At(0));
  watch.Done(Broken());
  watch.Sent(At(10));
  watch.Done(Refused());
  EXPECT_EQ(watch.standing(), PeerStanding::kRefuses);
  EXPECT_EQ(watch.due(), std::nullopt);
  watch.Wake(At(700));
  EXPECT_EQ(watch.standing(), PeerStanding::kRefuses);
  watch.Done({});
  EXPECT_EQ(watch.standing(), PeerStanding::kAnswers);
}

// A process that was stopped finds its timers over, and answers unread.
TEST(FetchWatch, OwnPauseIsNotThePeers) {
  FetchWatch watch(milliseconds(500));
  watch.Sent(At(0));
  watch.Wake(At(5000));
  EXPECT_EQ(watch.standing(), PeerStanding::kUnknown);
  EXPECT_EQ(watch.due(), At(5700));
}

TEST(PeerStandings, SilentIsWhoIsSilentToAll) {
  PeerStandings all;
  all.Set(0, 2, PeerStanding::kSilent);
  all.Set(1, 2, PeerStanding::kAnswers);
  EXPECT_EQ(all.Report(), PeerReport());
  all.Set(1, 2, PeerStanding::kSilent);
  EXPECT_EQ(all.Report().silent, std::vector<NodeId>{2});
  all.Set(0, 2, PeerStanding::kUnknown);
  EXPECT_EQ(all.Report().silent, std::vector<NodeId>{2});
  all.Set(1, 2, PeerStanding::kUnknown);
  EXPECT_EQ(all.Report(), PeerReport());
}

TEST(PeerStandings, OneShardThatIsRefusedIsEnough) {
  PeerStandings all;
  all.Set(0, 2, PeerStanding::kSilent);
  all.Set(1, 2, PeerStanding::kRefuses);
  all.Set(1, 3, PeerStanding::kRefuses);
  EXPECT_EQ(all.Report().refusing, (std::vector<NodeId>{2, 3}));
  EXPECT_EQ(all.Report().silent, std::vector<NodeId>());
  all.Set(0, 2, PeerStanding::kAnswers);
  EXPECT_EQ(all.Report().refusing, std::vector<NodeId>{3});
}

// Through the fetchers.
class PeerWatchTest : public testing::Test {
 protected:
  PeerWatchTest() { cluster_.CreateTopic("t", 1, {1, 2}, 1, {1, 2}); }
  PeerStanding Seen() { return cluster_.broker(2).standings[1]; }

  TestCluster cluster_{2};
};

TEST_F(PeerWatchTest, ALeaderThatDoesNotAnswerIsSilent) {
  cluster_.executor.RunFor(milliseconds(2000));
  EXPECT_EQ(Seen(), PeerStanding::kAnswers);
  cluster_.deaf = {1};
  cluster_.executor.RunFor(milliseconds(690));
  EXPECT_EQ(Seen(), PeerStanding::kAnswers);
  cluster_.executor.RunFor(milliseconds(510));
  EXPECT_EQ(Seen(), PeerStanding::kSilent);
  // Nobody asks whom it does not follow.
  cluster_.Elect("t", 0, 2, {1, 2});
  cluster_.executor.RunFor(milliseconds(10));
  EXPECT_EQ(Seen(), PeerStanding::kUnknown);
}

TEST_F(PeerWatchTest, AProcessThatIsGoneRefuses) {
  cluster_.executor.RunFor(milliseconds(2000));
  cluster_.broker(1).reachable = false;
  cluster_.executor.RunFor(milliseconds(520));  // the fetch that is out ends
  EXPECT_EQ(Seen(), PeerStanding::kRefuses);
  cluster_.broker(1).reachable = true;
  cluster_.executor.RunFor(milliseconds(1100));
  EXPECT_EQ(Seen(), PeerStanding::kAnswers);
}

// Broker 2 leads nothing, but every write waits for it.
TEST_F(PeerWatchTest, AFollowerThatIsGoneRefuses) {
  const auto seen = [this] { return cluster_.broker(1).standings[2]; };
  cluster_.executor.RunFor(milliseconds(2000));
  EXPECT_EQ(seen(), PeerStanding::kAnswers);
  const int asked = cluster_.fetches[{1, 2}];
  cluster_.executor.RunFor(milliseconds(5000));
  EXPECT_LE((cluster_.fetches[{1, 2}]) - asked, 11);
  cluster_.broker(2).reachable = false;
  cluster_.executor.RunFor(milliseconds(520));  // the one that is out ends
  EXPECT_EQ(seen(), PeerStanding::kRefuses);
  cluster_.broker(2).reachable = true;
  cluster_.executor.RunFor(milliseconds(1100));
  EXPECT_EQ(seen(), PeerStanding::kAnswers);
  cluster_.deaf = {2};
  cluster_.executor.RunFor(milliseconds(1210));
  EXPECT_EQ(seen(), PeerStanding::kSilent);
}

// It is fetched from: nothing else is asked.
TEST_F(PeerWatchTest, WhoIsFollowedIsNotProbed) {
  cluster_.CreateTopic("u", 1, {2, 1}, 2, {1, 2});
  cluster_.executor.RunFor(milliseconds(2000));
  const int asked = cluster_.fetches[{1, 2}];
  cluster_.executor.RunFor(milliseconds(5000));
  EXPECT_LE((cluster_.fetches[{1, 2}]) - asked, 22)
      << "of each shard one, at most";
  EXPECT_EQ(cluster_.broker(1).standings[2], PeerStanding::kAnswers);
  // Led by nobody else any more, it is probed again where it follows.
  cluster_.Elect("u", 0, 1, {1, 2});
  cluster_.executor.RunFor(milliseconds(2000));
  EXPECT_EQ(cluster_.broker(1).standings[2], PeerStanding::kAnswers);
}

}  // namespace
}  // namespace tidemark::replication
