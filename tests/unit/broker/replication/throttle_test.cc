#include "broker/replication/throttle.h"

#include <gtest/gtest.h>

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart = Instant() + std::chrono::hours(1);

TEST(Throttle, WithoutARateNothingWaits) {
  Throttle throttle;
  throttle.Moved(size_t{1} << 40, kStart);
  EXPECT_EQ(throttle.Wait(kStart), Duration::zero());
}

TEST(Throttle, WhatWentTooEarlyIsWaitedFor) {
  Throttle throttle;
  throttle.SetRate(1000);
  // A second's worth at once, and then what is over it.
  EXPECT_EQ(throttle.Wait(kStart), Duration::zero());
  throttle.Moved(3000, kStart);
  const Duration wait = throttle.Wait(kStart);
  EXPECT_GT(wait, milliseconds(1990));
  EXPECT_LT(wait, milliseconds(2050));
  EXPECT_GT(throttle.Wait(kStart + seconds(1)), milliseconds(900));
  EXPECT_EQ(throttle.Wait(kStart + wait), Duration::zero());
}

TEST(Throttle, KeepsItsRate) {
  Throttle throttle;
  throttle.SetRate(10'000);
  Instant now = kStart;
  size_t moved = 0;
  while (now < kStart + seconds(20)) {
    const Duration wait = throttle.Wait(now);
    if (wait == Duration::zero()) {
      throttle.Moved(3000, now);
      moved += 3000;
    }
    now += std::max<Duration>(wait, milliseconds(1));
  }
  EXPECT_GE(moved, 195'000u);
  EXPECT_LE(moved, 215'000u);
}

TEST(Throttle, AnotherRateForgetsWhatIsOwed) {
  Throttle throttle;
  throttle.SetRate(1);
  throttle.Moved(1'000'000, kStart);
  EXPECT_EQ(throttle.Wait(kStart), seconds(60) + milliseconds(1));
  throttle.SetRate(1000);
  EXPECT_LT(throttle.Wait(kStart + milliseconds(2)), milliseconds(10));
  throttle.SetRate(0);
  throttle.Moved(1, kStart + seconds(5));
  EXPECT_GT(throttle.Wait(kStart + seconds(5)), seconds(59));
  throttle.SetRate(Throttle::kUnlimited);
  EXPECT_EQ(throttle.Wait(kStart), Duration::zero());
}

}  // namespace
}  // namespace tidemark::replication
