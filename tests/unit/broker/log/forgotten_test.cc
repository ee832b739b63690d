#include "broker/log/forgotten.h"

#include "tests/unit/broker/log/cleaning_fixture.h"

namespace tidemark::log {
namespace {

TEST(ForgottenTest, ANameSaysWhatIsForgotten) {
  for (const Forgotten& one :
       {Forgotten{1, 1}, Forgotten{kMaxOffset, INT64_MAX}, ForgetBelow(77)}) {
    EXPECT_EQ(ParseForgottenFileName(ForgottenFileName(one)), one);
  }
  EXPECT_NE(ForgetBelow(1).id, ForgetBelow(1).id);
  for (const std::string name :
       {"forgotten-", "forgotten-0000000000000001", "compacted",
        "forgotten-0000000000000001-0000000000000000",
        "forgotten-0000000000000001-8000000000000000",
        "forgotten-000000000000000x-0000000000000001",
        "forgotten-0000000000000001-0000000000000001.tmp"}) {
    EXPECT_EQ(ParseForgottenFileName(name), std::nullopt) << name;
  }
}

class ForgettingTest : public CleaningTest {
 protected:
  // A log whose tombstone at offset 1 has the time from when on it may go.
  void Fill() {
    log_.reset();
    disk_.KillProcess();
    ASSERT_TRUE(!disk_.Exists(kDir) || disk_.RemoveAll(kDir));
    options_.recovery_point = 0;
    ASSERT_TRUE(Open());
    ASSERT_TRUE(Append(Records({{"a", "v"}})));
    ASSERT_TRUE(Append(Records({{"a", std::nullopt}, {"b", "v"}})));
    Roll();
    ASSERT_TRUE(Clean());
    now_ += 2000;
    Roll();
  }
  bool HasTombstone() { return ReadLog(*log_, true).contains(1); }
};

TEST_F(ForgettingTest, WhatOnlyBecameOlderIsNotForgotten) {
  Fill();
  EXPECT_EQ(log_->forgotten(), Forgotten());
  EXPECT_TRUE(HasTombstone());
  ASSERT_TRUE(Clean());
  EXPECT_FALSE(HasTombstone());
  const Forgotten first = log_->forgotten();
  EXPECT_GT(first.below, 1);
  EXPECT_NE(first.id, 0);
  Roll();
  ASSERT_TRUE(Clean());  // values
  EXPECT_EQ(log_->forgotten(), first);
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->forgotten(), first);
}

TEST_F(ForgettingTest, MarkersAreForgottenToo) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Records({{"a", "v"}}, Transactional(9, 0))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, false), 0, now_));
  ASSERT_TRUE(Append(Records({{"a", "v"}}, Transactional(9, 1))));
  ASSERT_TRUE(log_->AppendFromCoordinator(Marker(9, true), 0, now_));
  for (int i = 0; i < 3; ++i) {
    Roll();
    ASSERT_TRUE(Clean());
    now_ += 2000;
  }
  EXPECT_GT(log_->forgotten().below, 1);
}

// At every step, by a power cut and by a signal.
TEST_F(ForgettingTest, NothingIsForgottenUnnoticed) {
  int forgot = 0;
  for (const bool power : {true, false}) {
    for (int64_t step = 0;; ++step) {
      SCOPED_TRACE(step);
      Fill();
      disk_.DieAfter(step);
      const bool done = Clean().has_value();
      power ? disk_.Crash() : disk_.KillProcess();
      ASSERT_TRUE(Open(false));
      const Forgotten before = log_->forgotten();
      if (!HasTombstone()) {
        ++forgot;
        EXPECT_GT(before.below, 1);
        EXPECT_NE(before.id, 0);
      } else {
        // Whoever copies it now has the tombstone still to come.
        Roll();
        now_ += 2000;
        ASSERT_TRUE(Clean());
        EXPECT_FALSE(HasTombstone());
        EXPECT_NE(log_->forgotten().id, before.id);
      }
      if (done) break;
    }
  }
  EXPECT_GT(forgot, 2);
}

TEST_F(ForgettingTest, ACopyKnowsWhatItWasBegunFrom) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(40));
  const Forgotten one = ForgetBelow(90), other = ForgetBelow(95);
  ASSERT_TRUE(log_->BeginFrom(one));
  EXPECT_EQ(log_->forgotten(), one);
  ASSERT_TRUE(log_->BeginFrom(other));
  Flush();
  ASSERT_TRUE(Open(false));
  EXPECT_EQ(log_->forgotten(), other);
}

}  // namespace
}  // namespace tidemark::log
