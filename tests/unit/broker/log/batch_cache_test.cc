#include "broker/log/batch_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

constexpr size_t kLimit = 1 << 20;

class BatchCacheTest : public testing::Test {
 protected:
  BatchCacheTest() { newest_.Use(cache_); }

  // Batches of one offset each.
  void Add(size_t size, char fill) {
    newest_.Add(next_, next_ + 1, "head", std::string(size - 4, fill));
    ++next_;
  }
  std::optional<std::string> Read(Offset from, Offset below, size_t max_bytes,
                                  bool at_least_one = true) {
    auto read = newest_.Read(from, below, max_bytes, at_least_one);
    if (!read) return std::nullopt;
    return std::string(read->view());
  }

  std::shared_ptr<BatchCache> cache_ = std::make_shared<BatchCache>(kLimit);
  NewestBatches newest_;
  Offset next_ = 0;
};

TEST_F(BatchCacheTest, GivesWholeBatchesWithinTheBounds) {
  for (char c : {'a', 'b', 'c'}) Add(10, c);
  EXPECT_EQ(Read(0, 3, 100), "headaaaaaaheadbbbbbbheadcccccc");
  EXPECT_EQ(Read(1, 3, 100), "headbbbbbbheadcccccc");
  EXPECT_EQ(Read(0, 2, 100), "headaaaaaaheadbbbbbb");
  EXPECT_EQ(Read(0, 3, 25), "headaaaaaaheadbbbbbb");
  EXPECT_EQ(Read(0, 3, 5), "headaaaaaa");
  EXPECT_EQ(Read(0, 3, 5, false), "");
  EXPECT_EQ(Read(3, 4, 100), std::nullopt) << "it is not there";
}

TEST_F(BatchCacheTest, AnOffsetInsideABatchGetsTheBatch) {
  newest_.Add(5, 10, "head", "five");
  newest_.Add(10, 12, "head", "two");
  EXPECT_EQ(Read(7, 12, 100), "headfiveheadtwo");
  EXPECT_EQ(Read(7, 11, 100), "headfive") << "no part of a batch";
  EXPECT_EQ(Read(7, 9, 100), "");
  EXPECT_EQ(Read(4, 12, 100), std::nullopt);
}

TEST_F(BatchCacheTest, TheOldestOfAllLogsIsForgottenFirst) {
  NewestBatches other;
  other.Use(cache_);
  Add(1000, 'a');
  for (Offset i = 0; i < 200; ++i) {
    other.Add(i, i + 1, "head", std::string(20000, 'x'));
    ASSERT_LE(cache_->bytes(), kLimit);
  }
  EXPECT_EQ(Read(0, 1, 5000), std::nullopt);
  EXPECT_TRUE(other.Read(199, 200, 100000, true));
  EXPECT_FALSE(other.Read(0, 200, 100000, true));
}

TEST_F(BatchCacheTest, WhatIsReadStaysWhenItIsForgotten) {
  Add(100000, 'a');
  const auto large = newest_.Read(0, 1, 100000, true);
  ASSERT_TRUE(large);
  for (int i = 0; i < 50; ++i) Add(100000, 'b');
  EXPECT_EQ(large->view(), "head" + std::string(99996, 'a'));
}

// One that reads slowly would hold on to the chunk.
TEST_F(BatchCacheTest, WhatIsSmallIsCopiedForItsReader) {
  Add(100, 'a');
  Add(100000, 'b');
  const auto small = newest_.Read(0, 1, 100, true);
  const auto large = newest_.Read(1, 2, 100000, true);
  EXPECT_EQ(small->owner().use_count(), 1);
  EXPECT_GT(large->owner().use_count(), 1);
}

TEST_F(BatchCacheTest, WhatIsTooLargeLeavesNoGap) {
  Add(100, 'a');
  Add(kLimit, 'b');
  EXPECT_EQ(Read(0, 2, kLimit * 2), std::nullopt);
  Add(100, 'c');
  EXPECT_EQ(Read(1, 3, 100), std::nullopt);
  EXPECT_EQ(Read(2, 3, 100), "head" + std::string(96, 'c'));
  EXPECT_LE(cache_->bytes(), kLimit);
}

}  // namespace
}  // namespace tidemark::log
