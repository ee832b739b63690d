#include "common/base/clock.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

using std::chrono::milliseconds;

// D13: Long.MAX_VALUE, "never" in Kafka's files, must not become "always".
TEST(MillisecondsOf, NeverStaysNever) {
  EXPECT_EQ(MillisecondsOf(1500), milliseconds(1500));
  EXPECT_EQ(MillisecondsOf(-1), milliseconds(-1));
  for (const int64_t ms : {INT64_MAX, INT64_MAX / 2, INT64_MAX / 1'000'000}) {
    const Instant now = SystemClock().Now();
    EXPECT_GT(now + MillisecondsOf(ms),
              now + std::chrono::hours(24 * 365 * 90));
    EXPECT_LT(now - MillisecondsOf(ms), now);
  }
  EXPECT_LT(MillisecondsOf(INT64_MIN), Duration::zero());
}

}  // namespace
}  // namespace tidemark
