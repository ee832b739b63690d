#include "common/record/batch_checker.h"

#include <gtest/gtest.h>

#include <string>

#include "common/record/batch_builder.h"

namespace tidemark::record {
namespace {

std::string Batches(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    BatchBuilder builder;
    builder.Add(1, std::nullopt, std::string(static_cast<size_t>(i) * 37, 'v'));
    std::string batch = builder.Build();
    SetBaseOffset(batch.data(), i);
    all += batch;
  }
  return all;
}

Status AddInSteps(BatchChecker& checker, std::string_view bytes, size_t step) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    TM_RETURN_IF_ERROR(checker.Add(bytes.substr(0, step)));
  }
  return {};
}

TEST(BatchCheckerTest, PiecesOfAnySizeAreRight) {
  const std::string all = Batches(10);
  for (const size_t step : {1u, 7u, 60u, 61u, 62u, 100u, 100'000u}) {
    BatchChecker checker;
    EXPECT_TRUE(AddInSteps(checker, all, step)) << step;
    EXPECT_TRUE(checker.AtBoundary());
    EXPECT_EQ(checker.next(), 10);
    EXPECT_TRUE(checker.Add(all.substr(0, 0)));
  }
}

TEST(BatchCheckerTest, WhatCannotBeMayStillBeIntact) {
  std::string batch = Batches(1);
  EXPECT_TRUE(IsIntact(batch));
  BatchHeader header = *ParseBatchHeader(batch);
  header.record_count = -2;
  WriteBatchHeader(header, batch.data());
  EXPECT_FALSE(IsIntact(batch)) << "the checksum is another's";
  header.crc = ComputeCrc(batch);
  WriteBatchHeader(header, batch.data());
  EXPECT_FALSE(ParseBatchHeader(batch));
  EXPECT_TRUE(IsIntact(batch));
  EXPECT_FALSE(IsIntact(batch + "x"));
  for (size_t size = 0; size < batch.size(); ++size) {
    EXPECT_FALSE(IsIntact(std::string_view(batch).substr(0, size))) << size;
  }
}

TEST(BatchCheckerTest, EveryFlippedBitBehindTheEpochIsNoticed) {
  const std::string all = Batches(3);
  for (size_t byte = 0; byte < all.size(); ++byte) {
    std::string wrong = all;
    wrong[byte] = static_cast<char>(wrong[byte] ^ 4);
    BatchChecker checker;
    const bool right = AddInSteps(checker, wrong, 50) && checker.AtBoundary();
    // Offset and epoch are not in the checksum; of offsets only the order is
    // known.
    size_t in_batch = byte;
    for (std::string_view rest = all; in_batch >= *PeekBatchSize(rest);) {
      in_batch -= *PeekBatchSize(rest);
      rest.remove_prefix(*PeekBatchSize(rest));
    }
    const bool unprotected =
        in_batch < kLengthAt ||
        (in_batch >= kLeaderEpochAt && in_batch < kMagicAt);
    if (!unprotected) {
      EXPECT_FALSE(right) << byte;
    }
  }
}

TEST(BatchCheckerTest, HalfABatchAndOffsetsThatFallAreNoticed) {
  const std::string all = Batches(2);
  BatchChecker half;
  EXPECT_TRUE(half.Add(all.substr(0, all.size() - 1)));
  EXPECT_FALSE(half.AtBoundary());
  EXPECT_EQ(half.next(), 1);
  BatchChecker again;
  EXPECT_TRUE(again.Add(all));
  EXPECT_FALSE(again.Add(all));
}

}  // namespace
}  // namespace tidemark::record
