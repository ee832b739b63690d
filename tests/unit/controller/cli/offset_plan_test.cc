#include "controller/cli/offset_plan.h"

#include <gmock/gmock.h>

namespace tidemark::cli {
namespace {

using testing::ElementsAre;

OffsetRange Range(int64_t committed) {
  return {.start = 10, .end = 90, .committed = committed, .at_timestamp = {}};
}

TEST(OffsetPlan, EveryForm) {
  EXPECT_EQ(PlannedOffset({.earliest = true}, Range(50)), 10);
  EXPECT_EQ(PlannedOffset({.latest = true}, Range(50)), 90);
  EXPECT_EQ(PlannedOffset({.current = true}, Range(50)), 50);
  EXPECT_EQ(PlannedOffset({.offset = 33}, Range(-1)), 33);
  EXPECT_EQ(PlannedOffset({.shift = -7}, Range(50)), 43);
}

TEST(OffsetPlan, IntoWhatThePartitionHolds) {
  EXPECT_EQ(PlannedOffset({.offset = 3}, Range(50)), 10);
  EXPECT_EQ(PlannedOffset({.offset = 300}, Range(50)), 90);
  EXPECT_EQ(PlannedOffset({.shift = -70}, Range(50)), 10);
  EXPECT_EQ(PlannedOffset({.shift = INT64_MAX}, Range(50)), 90);
  EXPECT_EQ(PlannedOffset({.shift = INT64_MIN}, Range(50)), 10);
  EXPECT_EQ(PlannedOffset({.current = true}, Range(5)), 10);
}

TEST(OffsetPlan, WhereTheGroupHasNothing) {
  EXPECT_EQ(PlannedOffset({.current = true}, Range(-1)), 90);
  EXPECT_EQ(PlannedOffset({.shift = 1}, Range(-1)), std::nullopt);
}

TEST(OffsetPlan, ByTime) {
  OffsetRange range = Range(50);
  range.at_timestamp = 20;
  EXPECT_EQ(PlannedOffset({.timestamp_ms = 1}, range), 20);
  range.at_timestamp = -1;
  EXPECT_EQ(PlannedOffset({.timestamp_ms = 1}, range), 90) << "none so new";
}

TEST(OffsetPlan, Scopes) {
  EXPECT_EQ(ParseScope("orders")->topic, "orders");
  EXPECT_THAT(ParseScope("orders:0,12")->partitions, ElementsAre(0, 12));
  for (const char* bad : {"", ":1", "orders:", "orders:x", "orders:-1"}) {
    EXPECT_FALSE(ParseScope(bad)) << bad;
  }
}

TEST(OffsetPlan, Times) {
  EXPECT_EQ(*ParseTime("1970-01-02T00:00:01"), 86'401'000);
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00.25"), 250);
  EXPECT_EQ(*ParseTime("1970-01-01T01:00:00.000+01:00"), 0);
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*ParseTime("1969-12-31T23:00:00-0100"), 0);
  for (const char* bad : {"", "yesterday", "1970-01-01", "1970-13-01T00:00:00",
                          "1970-01-01T00:00:00.", "1970-01-01T00:00:00x",
                          "1970-01-01T00:00:00+1"}) {
    EXPECT_FALSE(ParseTime(bad)) << bad;
  }
}

TEST(OffsetPlan, Durations) {
  EXPECT_EQ(*ParseDuration("90m"), 5'400'000);
  EXPECT_EQ(*ParseDuration("7d"), 604'800'000);
  EXPECT_EQ(*ParseDuration("1h30m"), 5'400'000);
  EXPECT_EQ(*ParseDuration("P1DT2H"), 93'600'000);
  EXPECT_EQ(*ParseDuration("PT5S"), 5'000);
  for (const char* bad :
       {"", "90", "m", "P1M", "PT1D", "P", "PT", "-5m", "99999999999999999d"}) {
    EXPECT_FALSE(ParseDuration(bad)) << bad;
  }
}

TEST(OffsetPlan, Files) {
  const auto offsets = ParseOffsetFile("orders,0,5\n\n\"items\",12,7\n");
  ASSERT_TRUE(offsets);
  EXPECT_THAT(*offsets,
              ElementsAre(std::pair(TopicPartition{"orders", 0}, int64_t{5}),
                          std::pair(TopicPartition{"items", 12}, int64_t{7})));
  EXPECT_FALSE(ParseOffsetFile("orders,0"));
  EXPECT_FALSE(ParseOffsetFile("orders,x,1"));
  EXPECT_FALSE(ParseOffsetFile("orders,-1,1"));
}

}  // namespace
}  // namespace tidemark::cli
