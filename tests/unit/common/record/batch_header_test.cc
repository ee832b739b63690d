#include "common/record/batch_header.h"

#include <gtest/gtest.h>

#include "common/record/batch_builder.h"
#include "common/record/big_endian.h"
#include "tests/unit/common/record/golden_batches.h"

namespace tidemark::record {
namespace {

std::string SomeBatch() {
  return BatchBuilder({.base_offset = 5,
                       .leader_epoch = 3,
                       .producer_id = 77,
                       .producer_epoch = 2,
                       .base_sequence = 10})
      .Add(1000, "a", "1")
      .Add(1005, "b", "2")
      .Build();
}

TEST(BatchHeader, FieldsStandWhereKafkaHasThem) {
  const std::string batch = SomeBatch();
  const auto header = ParseAndVerifyBatch(batch);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, 5);
  EXPECT_EQ(header->FullSize(), batch.size());
  EXPECT_EQ(header->leader_epoch, 3);
  EXPECT_EQ(header->magic, 2);
  EXPECT_EQ(header->attributes, 0);
  EXPECT_EQ(header->last_offset_delta, 1);
  EXPECT_EQ(header->LastOffset(), 6);
  EXPECT_EQ(header->NextOffset(), 7);
  EXPECT_EQ(header->base_timestamp, 1000);
  EXPECT_EQ(header->max_timestamp, 1005);
  EXPECT_EQ(header->producer_id, 77);
  EXPECT_EQ(header->producer_epoch, 2);
  EXPECT_EQ(header->base_sequence, 10);
  EXPECT_EQ(header->LastSequence(), 11);
  EXPECT_EQ(header->record_count, 2);
  std::string written(kBatchHeaderSize, '\0');
  WriteBatchHeader(*header, written.data());
  EXPECT_EQ(written, batch.substr(0, kBatchHeaderSize));
}

TEST(BatchHeader, SequencesWrapToZero) {
  BatchHeader header;
  header.base_sequence = INT32_MAX - 1;
  header.last_offset_delta = 3;
  EXPECT_EQ(header.LastSequence(), 1);
  header.base_sequence = kNoSequence;
  EXPECT_EQ(header.LastSequence(), kNoSequence);
}

TEST(BatchHeader, KafkasChecksumsAreRight) {
  const auto golden = LoadGoldenBatches();
  ASSERT_GE(golden.size(), 6u);
  for (const auto& [topic, bytes] : golden) {
    EXPECT_TRUE(ParseAndVerifyBatch(bytes)) << topic;
  }
}

TEST(BatchHeader, OffsetAndLeaderEpochAreOutsideTheChecksum) {
  std::string batch = SomeBatch();
  SetBaseOffset(batch.data(), 1234567890123);
  SetLeaderEpoch(batch.data(), 9);
  const auto header = ParseAndVerifyBatch(batch);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, 1234567890123);
  EXPECT_EQ(header->leader_epoch, 9);
}

TEST(BatchHeader, LogAppendTimeRenewsTheChecksum) {
  std::string batch = SomeBatch();
  SetLogAppendTime(batch.data(), batch.size(), 2000);
  const auto header = ParseAndVerifyBatch(batch);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->IsLogAppendTime());
  EXPECT_EQ(header->max_timestamp, 2000);
  EXPECT_EQ(header->base_timestamp, 1000);
}

TEST(BatchHeader, EveryFlippedByteOfTheBodyIsNoticed) {
  const std::string good = SomeBatch();
  for (size_t at = kCrcAt; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto header = ParseAndVerifyBatch(bad);
    ASSERT_FALSE(header) << at;
    EXPECT_EQ(header.error().code, ErrorCode::kCorruptMessage);
  }
}

TEST(BatchHeader, EveryCutIsNoticed) {
  const std::string good = SomeBatch();
  for (size_t size = 0; size < good.size(); ++size) {
    // A copy of its own lets a sanitizer see reads past the end.
    const std::string cut = good.substr(0, size);
    EXPECT_FALSE(ParseAndVerifyBatch(cut)) << size;
  }
}

template <class T>
std::string With(size_t at, T value) {
  std::string batch = SomeBatch();
  StoreBigEndian<T>(value, batch.data() + at);
  return batch;
}

TEST(BatchHeader, RefusesWhatCannotBe) {
  struct {
    const char* name;
    std::string batch;
    ErrorCode code;
  } const cases[] = {
      {"magic 0", With<int8_t>(kMagicAt, 0),
       ErrorCode::kUnsupportedForMessageFormat},
      {"magic 1", With<int8_t>(kMagicAt, 1),
       ErrorCode::kUnsupportedForMessageFormat},
      {"magic 3", With<int8_t>(kMagicAt, 3), ErrorCode::kCorruptMessage},
      {"length -1", With<int32_t>(kLengthAt, -1), ErrorCode::kCorruptMessage},
      {"length 0", With<int32_t>(kLengthAt, 0), ErrorCode::kCorruptMessage},
      {"length 48", With<int32_t>(kLengthAt, 48), ErrorCode::kCorruptMessage},
      {"record count -1", With<int32_t>(kRecordCountAt, -1),
       ErrorCode::kCorruptMessage},
      {"last offset delta -1", With<int32_t>(kLastOffsetDeltaAt, -1),
       ErrorCode::kCorruptMessage},
  };
  for (const auto& [name, batch, code] : cases) {
    const auto header = ParseBatchHeader(batch);
    ASSERT_FALSE(header) << name;
    EXPECT_EQ(header.error().code, code) << name;
  }
}

TEST(BatchHeader, HostileOffsetsDoNotOverflow) {
  const auto header = ParseBatchHeader(With<int64_t>(kBaseOffsetAt, INT64_MAX));
  ASSERT_TRUE(header);
  EXPECT_LT(header->LastOffset(), 0);
}

}  // namespace
}  // namespace tidemark::record
