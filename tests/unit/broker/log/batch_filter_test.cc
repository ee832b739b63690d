#include "broker/log/batch_filter.h"

#include <gtest/gtest.h>

#include <vector>

#include "broker/log/cleaned_transactions.h"
#include "broker/log/compaction.h"
#include "broker/log/key_offsets.h"
#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using Fate = FilteredBatch::Fate;
constexpr FilterTimes kTimes{kNow, 1000};

std::string HexOf(const KeyHash& hash) {
  std::string out;
  for (const uint64_t word : {hash.low, hash.high}) {
    for (int i = 0; i < 8; ++i) {
      char text[3];
      std::snprintf(text, sizeof text, "%02x",
                    static_cast<unsigned>(word >> (8 * i) & 0xff));
      out += text;
    }
  }
  return out;
}

// Of the authors' reference: key 00 01 .. 0f, input 00 01 .. of that length.
TEST(KeyHash, IsSipHashOf128Bits) {
  const KeyHash::Secret secret{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::string input;
  const auto next = [&] {
    const std::string hex = HexOf(KeyHash::Of(input, secret));
    input.push_back(static_cast<char>(input.size()));
    return hex;
  };
  EXPECT_EQ(next(), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(next(), "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(next(), "8177228da4a45dc7fca38bdef60affe4");
}

TEST(KeyOffsets, HoldsTheLastOffsetOfEachKeyAndNoMoreThanFit) {
  auto keys = KeyOffsets::Make(24 * 10, 0.5, {3, 4}).value();
  ASSERT_EQ(keys.capacity(), 5u);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(keys.Put("key" + std::to_string(i), i));
  }
  EXPECT_FALSE(keys.Put("another", 9));
  EXPECT_TRUE(keys.Put("key3", 30));
  EXPECT_TRUE(keys.Put("key0", 0));
  EXPECT_EQ(keys.size(), 5u);
  EXPECT_EQ(keys.Find("key3"), 30);
  EXPECT_EQ(keys.Find("key0"), 0);
  EXPECT_FALSE(keys.Find("another"));
}

record::BatchOptions At(Offset base, record::Codec codec) {
  record::BatchOptions options = Transactional(7, 40, 3);
  options.base_offset = base;
  options.leader_epoch = 5;
  options.codec = codec;
  return options;
}

Result<FilteredBatch> Filter(const std::string& batch, std::vector<Offset> keep,
                             bool must_stay = false, bool settled = true,
                             const FilterTimes& times = kTimes) {
  return FilterRecords(
      batch, record::ParseBatchHeader(batch).value(),
      [&](const KeyedRecord& record, bool horizon_passed) {
        if (!record.has_value && horizon_passed) return false;
        return std::find(keep.begin(), keep.end(), record.offset) != keep.end();
      },
      settled, must_stay, times);
}

std::vector<record::Record> Records(const std::string& batch) {
  std::vector<record::Record> all;
  auto reader = record::RecordReader::Open(batch).value();
  while (auto record = reader.Next().value()) {
    record->key.reset();  // views
    record->value.reset();
    record->headers.clear();
    all.push_back(*record);
  }
  return all;
}

TEST(BatchFilter, KeepsOffsetsSequencesEpochsAndCodec) {
  for (const auto codec :
       {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy,
        record::Codec::kLz4, record::Codec::kZstd}) {
    record::BatchBuilder builder(At(100, codec));
    const record::RecordHeader header{"h", "v"};
    for (int i = 0; i < 4; ++i) {
      builder.Add(kNow + 10 * i, "k", "value", std::span(&header, 1));
    }
    const std::string batch = builder.Build();
    const auto before = record::ParseBatchHeader(batch).value();
    const auto filtered = Filter(batch, {101, 102}).value();
    ASSERT_EQ(filtered.fate, Fate::kRewritten);
    EXPECT_EQ(filtered.kept, 2);
    EXPECT_EQ(filtered.dropped, 2);
    const auto after = record::ParseAndVerifyBatch(filtered.bytes).value();
    EXPECT_EQ(after.FullSize(), filtered.bytes.size());
    EXPECT_EQ(after.base_offset, 100);
    EXPECT_EQ(after.LastOffset(), 103);
    EXPECT_EQ(after.LastSequence(), before.LastSequence());
    EXPECT_EQ(after.base_sequence, 40);
    EXPECT_EQ(after.producer_epoch, 3);
    EXPECT_EQ(after.leader_epoch, 5);
    EXPECT_EQ(after.attributes, before.attributes);
    EXPECT_EQ(after.max_timestamp, kNow + 20);
    const auto records = Records(filtered.bytes);
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].offset, 101);
    EXPECT_EQ(records[1].timestamp, kNow + 20);
  }
}

TEST(BatchFilter, WhatLosesNothingStaysAsItWas) {
  const std::string batch = Batch(3);
  EXPECT_EQ(Filter(batch, {0, 1, 2}).value().fate, Fate::kAsItWas);
  EXPECT_EQ(Filter(batch, {}).value().fate, Fate::kGone);
}

TEST(BatchFilter, TheLastOfAProducerStaysEmpty) {
  record::BatchBuilder builder(At(100, record::Codec::kZstd));
  builder.Add(kNow, "k", "v").Add(kNow + 5, "k", "v");
  const auto empty = Filter(builder.Build(), {}, true).value();
  ASSERT_EQ(empty.fate, Fate::kRewritten);
  ASSERT_EQ(empty.bytes.size(), record::kBatchHeaderSize);
  const auto header = record::ParseAndVerifyBatch(empty.bytes).value();
  EXPECT_EQ(header.record_count, 0);
  EXPECT_EQ(header.codec(), record::Codec::kNone);
  EXPECT_TRUE(header.IsTransactional());
  EXPECT_EQ(header.LastOffset(), 101);
  EXPECT_EQ(header.LastSequence(), 41);
  EXPECT_EQ(header.max_timestamp, kNow + 5);
  EXPECT_TRUE(Records(empty.bytes).empty());
  // Once more: nothing changes; without need it goes.
  EXPECT_EQ(DropRecords(header, true).fate, Fate::kAsItWas);
  EXPECT_EQ(DropRecords(header, false).fate, Fate::kGone);
}

TEST(BatchFilter, TombstonesStayUntilTheirHorizon) {
  record::BatchBuilder builder(At(100, record::Codec::kLz4));
  builder.Add(kNow - 50, "a", std::nullopt).Add(kNow - 40, "b", "v");
  const std::string batch = builder.Build();
  // Not before all that they make obsolete goes, too.
  EXPECT_EQ(Filter(batch, {100, 101}, false, false).value().fate,
            Fate::kAsItWas);
  const auto first = Filter(batch, {100, 101}).value();
  ASSERT_EQ(first.fate, Fate::kRewritten);
  const auto header = record::ParseAndVerifyBatch(first.bytes).value();
  EXPECT_EQ(DeleteHorizon(header), kNow + 1000);
  const auto records = Records(first.bytes);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].timestamp, kNow - 50);
  EXPECT_EQ(records[1].timestamp, kNow - 40);
  EXPECT_EQ(header.max_timestamp, kNow - 40);
  // It is set once.
  EXPECT_EQ(
      Filter(first.bytes, {100, 101}, false, true, {kNow + 999, 1000})->fate,
      Fate::kAsItWas);
  const auto late =
      Filter(first.bytes, {100, 101}, false, true, {kNow + 1000, 1000}).value();
  EXPECT_EQ(late.dropped, 1);
  const auto left = Records(late.bytes);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].offset, 101);
  EXPECT_EQ(left[0].timestamp, kNow - 40);
}

// Timestamps are the producers' own.
TEST(BatchFilter, ATimestampThatCannotBeToldFromTheHorizonKeepsItsTombstone) {
  record::BatchBuilder builder;
  builder.Add(INT64_MIN + 5, "a", std::nullopt);
  const std::string batch = builder.Build();
  EXPECT_EQ(Filter(batch, {0}).value().fate, Fate::kAsItWas);
  EXPECT_EQ(Filter(batch, {0}, false, true, {kNow, INT64_MAX}).value().fate,
            Fate::kAsItWas);
}

TEST(BatchFilter, HostileRecordsAreErrors) {
  const std::string good = Batch(2);
  for (size_t at = record::kBatchHeaderSize; at < good.size(); ++at) {
    for (const int to : {0, 1, 0x7f, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(to);
      (void)Filter(bad, {0});
      (void)FilterMarker(bad, record::ParseBatchHeader(bad).value(), false,
                         kTimes);
    }
  }
  std::string many = good;
  many[record::kRecordCountAt + 3] = 9;
  EXPECT_FALSE(Filter(many, {0, 1}));
}

TEST(BatchFilter, AMarkerOfNothingGoesAfterItsHorizon) {
  const std::string marker = Marker(7, false);
  const auto header = record::ParseBatchHeader(marker).value();
  const auto first = FilterMarker(marker, header, false, kTimes);
  ASSERT_EQ(first.fate, Fate::kRewritten);
  const auto waiting = record::ParseAndVerifyBatch(first.bytes).value();
  EXPECT_EQ(DeleteHorizon(waiting), kNow + 1000);
  EXPECT_TRUE(MarkerIn(waiting, first.bytes));
  const auto fate = [&](bool must_stay, int64_t now) {
    return FilterMarker(first.bytes, waiting, must_stay, {now, 1000}).fate;
  };
  EXPECT_EQ(fate(false, kNow + 999), Fate::kAsItWas);
  EXPECT_EQ(fate(false, kNow + 1000), Fate::kGone);
  EXPECT_EQ(fate(true, kNow + 1000), Fate::kAsItWas);
}

TEST(CleanedTransactions, TellsAbortedOnesAndMarkersOfNothing) {
  CleanedTransactions transactions;
  const AbortedTransaction aborted[] = {{1, 10, 20, 21}, {1, 30, 40, 41}};
  transactions.Expect(aborted);
  const auto at = [](ProducerId id, Offset offset) {
    record::BatchHeader header;
    header.base_offset = offset;
    header.producer_id = id;
    header.producer_epoch = 0;
    header.attributes = record::kTransactionalBit;
    return header;
  };
  EXPECT_FALSE(transactions.TakeBatch(at(1, 5)));  // of an earlier one
  EXPECT_FALSE(transactions.TakeMarker(at(1, 8)).ends_nothing);
  EXPECT_TRUE(transactions.TakeBatch(at(1, 10)));
  EXPECT_FALSE(transactions.TakeBatch(at(2, 12)));
  transactions.Expect(aborted);
  EXPECT_TRUE(transactions.TakeBatch(at(1, 15)));
  const auto marker = transactions.TakeMarker(at(1, 20));
  EXPECT_FALSE(marker.ends_nothing);
  EXPECT_EQ(marker.aborts, aborted[0]);
  EXPECT_FALSE(transactions.TakeBatch(at(1, 22)));  // one that is committed
  EXPECT_FALSE(transactions.TakeMarker(at(1, 25)).ends_nothing);
  const auto second = transactions.TakeMarker(at(1, 40));
  EXPECT_TRUE(second.ends_nothing);
  EXPECT_EQ(second.aborts, aborted[1]);
  EXPECT_FALSE(transactions.TakeMarker(at(2, 50)).ends_nothing);
  EXPECT_TRUE(transactions.TakeMarker(at(2, 60)).ends_nothing);
}

TEST(GroupSegments, BoundsBytesAndOffsets) {
  const auto segment = [](Offset base, Offset end, uint64_t size) {
    return CleanableSegment{"", size, base, end, -1};
  };
  const auto groups = GroupSegments(
      {segment(0, 10, 400), segment(10, 20, 500), segment(20, 30, 200),
       segment(30, 40, 5000), segment(40, 50, 10),
       segment(50, Offset{INT32_MAX} + 60, 10),
       segment(4000000000, 4000000001, 1), segment(5000000000, 5000000001, 1)},
      4500000000, 1000);
  std::vector<size_t> sizes;
  for (const auto& group : groups) sizes.push_back(group.segments.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 1, 1, 1, 1}));
}

}  // namespace
}  // namespace tidemark::log
