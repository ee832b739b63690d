#include "broker/log/record_validation.h"

#include <gtest/gtest.h>

#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"

namespace tidemark::log {
namespace {

using record::Codec;
constexpr int64_t kNow = 1'800'000'000'000;
constexpr int64_t kHour = 3'600'000;

class RecordValidationTest : public testing::Test {
 protected:
  tl::expected<std::string, RecordRefusal> Validate(const std::string& batch) {
    return ValidateRecords(batch, record::ParseBatchHeader(batch).value(),
                           rules_, kNow);
  }
  static std::string Batch(std::vector<int64_t> timestamps,
                           Codec codec = Codec::kNone, bool keys = true) {
    record::BatchBuilder builder({.codec = codec});
    for (const int64_t at : timestamps) {
      builder.Add(at, keys ? std::optional("k") : std::nullopt, "value");
    }
    return builder.Build();
  }
  static std::string Edited(std::string batch, size_t at, char to,
                            bool right_checksum = true) {
    batch[at] = to;
    if (right_checksum) {
      auto header = record::ParseBatchHeader(batch).value();
      header.crc = record::ComputeCrc(batch);
      record::WriteBatchHeader(header, batch.data());
    }
    return batch;
  }

  RecordRules rules_;
};

TEST_F(RecordValidationTest, AGoodBatchIsStoredAsItCame) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy,
                            Codec::kLz4, Codec::kZstd}) {
    EXPECT_EQ(Validate(Batch({kNow, kNow - 5}, codec)), "");
    rules_.stored_codec = codec;
    EXPECT_EQ(Validate(Batch({kNow, kNow - 5}, codec)), "");
    rules_.stored_codec.reset();
  }
}

// A request may carry hundreds of bombs.
TEST_F(RecordValidationTest, ManyBatchesTogetherUnpackToABoundedSize) {
  record::BatchBuilder builder({.codec = Codec::kZstd});
  builder.Add(kNow, "k", std::string(60 << 20, 'x'));
  const std::string bomb = builder.Build();
  const auto header = record::ParseBatchHeader(bomb).value();
  size_t left = UnpackAllowance(0);
  for (const bool good : {true, true, false, false}) {
    const auto stored = ValidateRecords(bomb, header, rules_, kNow, &left);
    EXPECT_EQ(stored ? ErrorCode::kNone : stored.error().error,
              good ? ErrorCode::kNone : ErrorCode::kInvalidRecord);
  }
  EXPECT_EQ(left, 0u) << "what is refused has cost as much";
  EXPECT_EQ(ValidateRecords(Batch({kNow}),
                            record::ParseBatchHeader(Batch({kNow})).value(),
                            rules_, kNow, &left),
            "")
      << "nothing to unpack";
}

// With another codec to store, and nobody to read them first.
TEST_F(RecordValidationTest, WhatIsPackedAnewIsBoundedToo) {
  record::BatchBuilder builder({.codec = Codec::kZstd});
  builder.Add(kNow, "k", std::string(60 << 20, 'x'));
  const std::string bomb = builder.Build();
  const auto header = record::ParseBatchHeader(bomb).value();
  rules_.read_records = false;
  rules_.stored_codec = Codec::kLz4;
  size_t left = 100 << 20;
  EXPECT_TRUE(ValidateRecords(bomb, header, rules_, kNow, &left));
  EXPECT_FALSE(ValidateRecords(bomb, header, rules_, kNow, &left));
}

TEST_F(RecordValidationTest, GarbageBehindACodecIsRefused) {
  // Behind the bit of every codec, as reported from the field.
  for (const char codec : {'\1', '\2', '\3', '\4'}) {
    const std::string bad =
        Edited(Batch({kNow, kNow}), record::kAttributesAt + 1, codec);
    EXPECT_EQ(Validate(bad).error().error, ErrorCode::kInvalidRecord);
    rules_.read_records = false;  // for producers one trusts
    EXPECT_EQ(Validate(bad), "");
    rules_.read_records = true;
  }
}

TEST_F(RecordValidationTest, DamageOnTheWayIsToBeSentAgain) {
  const std::string bad =
      Edited(Batch({kNow, kNow}), record::kBatchHeaderSize, '\x7f', false);
  EXPECT_EQ(Validate(bad).error().error, ErrorCode::kCorruptMessage);
  // Nor does another codec make it good.
  rules_.read_records = false;
  rules_.stored_codec = Codec::kGzip;
  EXPECT_EQ(Validate(bad).error().error, ErrorCode::kCorruptMessage);
}

TEST_F(RecordValidationTest, RefusalsNameTheRecords) {
  rules_.compacted = true;
  auto refused = Validate(Batch({kNow, kNow, kNow}, Codec::kZstd, false));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, ErrorCode::kInvalidRecord);
  ASSERT_EQ(refused.error().records.size(), 3u);
  EXPECT_EQ(refused.error().records[2].index, 2);
  EXPECT_NE(refused.error().message.find("3 record errors"), std::string::npos);
  // However many they are, the answer is of a reasonable size.
  refused =
      Validate(Batch(std::vector<int64_t>(10'000, kNow), Codec::kNone, false));
  EXPECT_EQ(refused.error().records.size(), 100u);
}

TEST_F(RecordValidationTest, TimestampsHaveBounds) {
  rules_.timestamp_after_max_ms = kHour;
  rules_.timestamp_before_max_ms = 24 * kHour;
  EXPECT_TRUE(Validate(Batch({kNow + kHour, kNow - 24 * kHour, -1})));
  for (const int64_t bad :
       {kNow + kHour + 1, kNow - 24 * kHour - 1, INT64_MAX / 2, int64_t{0}}) {
    const auto refused = Validate(Batch({kNow, bad}));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().error, ErrorCode::kInvalidTimestamp);
    ASSERT_EQ(refused.error().records.size(), 1u);
    EXPECT_EQ(refused.error().records[0].index, 1);
  }
  rules_.log_append_time = true;
  EXPECT_TRUE(Validate(Batch({kNow, kNow + 9 * kHour})));
}

// Retention goes by the header's maximum: it has to be that of the records.
TEST_F(RecordValidationTest, AMadeUpMaximumIsPutRight) {
  const std::string lies =
      Edited(Batch({kNow, kNow - 7}), record::kMaxTimestampAt, '\x3f');
  const auto stored = Validate(lies);
  ASSERT_TRUE(stored);
  const auto header = record::ParseAndVerifyBatch(*stored);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->max_timestamp, kNow);
}

TEST_F(RecordValidationTest, TheTopicsCodecIsWhatIsStored) {
  const Codec codecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy,
                          Codec::kLz4, Codec::kZstd};
  for (const Codec from : codecs) {
    for (const Codec to : codecs) {
      if (from == to) continue;
      rules_.stored_codec = to;
      const std::string batch = Batch({kNow, kNow - 5, kNow - 3}, from);
      const auto stored = Validate(batch);
      ASSERT_TRUE(stored);
      const auto header = record::ParseAndVerifyBatch(*stored).value();
      EXPECT_EQ(header.codec(), to);
      EXPECT_EQ(header.FullSize(), stored->size());
      std::vector<int64_t> timestamps;
      EXPECT_TRUE(record::ForEachRecord(
          *stored, [&](const record::Record& rec) -> Status {
            EXPECT_EQ(rec.value, "value");
            timestamps.push_back(rec.timestamp);
            return {};
          }));
      EXPECT_EQ(timestamps, (std::vector<int64_t>{kNow, kNow - 5, kNow - 3}));
    }
  }
}

}  // namespace
}  // namespace tidemark::log
