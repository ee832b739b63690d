#include <gtest/gtest.h>

#include "broker/log/append_validation.h"
#include "broker/log/checkpoint.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/log_manager.h"
#include "broker/log/offset_index.h"
#include "broker/log/producer_state.h"
#include "broker/log/time_index.h"
#include "common/record/big_endian.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

// --- epochs

EpochCache Epochs(std::initializer_list<EpochCache::Entry> entries) {
  EpochCache cache;
  for (const auto& entry : entries) cache.Assign(entry.epoch, entry.start);
  return cache;
}

TEST(EpochCacheTest, AssignRemovesWhatContradictsIt) {
  struct Case {
    const char* name;
    EpochCache::Entry assign;
    bool changed;
    EpochCache expected;
  };
  const EpochCache start = Epochs({{1, 0}, {3, 10}, {5, 20}});
  const Case cases[] = {
      {"next", {6, 30}, true, Epochs({{1, 0}, {3, 10}, {5, 20}, {6, 30}})},
      {"latest again", {5, 25}, false, start},
      {"latest earlier", {5, 15}, true, Epochs({{1, 0}, {3, 10}, {5, 15}})},
      {"same start", {7, 20}, true, Epochs({{1, 0}, {3, 10}, {7, 20}})},
      {"lower epoch", {2, 40}, true, Epochs({{1, 0}, {2, 40}})},
      {"none", {-1, 40}, false, start},
  };
  for (const Case& c : cases) {
    EpochCache cache = start;
    EXPECT_EQ(cache.Assign(c.assign.epoch, c.assign.start), c.changed)
        << c.name;
    EXPECT_EQ(cache, c.expected) << c.name << "\n" << cache.Encode();
  }
}

TEST(EpochCacheTest, ObservedBatchesWinOverStaleEntries) {
  EpochCache cache = Epochs({{2, 0}, {3, 100}});
  EXPECT_FALSE(cache.Observe(2, 90, 99));
  EXPECT_TRUE(cache.Observe(2, 100, 105)) << "the file is of before a cut";
  EXPECT_EQ(cache, Epochs({{2, 0}}));
  cache = Epochs({{2, 0}, {9, 120}});
  EXPECT_FALSE(cache.Observe(2, 100, 119)) << "assigned, nothing written yet";
  EXPECT_EQ(cache.latest(), 9);
  EXPECT_TRUE(cache.Observe(2, 110, 125)) << "starts inside a batch";
  EXPECT_EQ(cache, Epochs({{2, 0}}));
}

TEST(EpochCacheTest, EndOffsetsAsKafkaGivesThem) {
  const EpochCache cache = Epochs({{2, 10}, {4, 20}, {5, 30}});
  struct Case {
    LeaderEpoch asked, epoch;
    Offset end;
  };
  for (const Case& c :
       {Case{5, 5, 40}, Case{4, 4, 30}, Case{3, 2, 20}, Case{2, 2, 20},
        Case{1, 1, 10}, Case{6, -1, -1}, Case{-1, -1, -1}}) {
    EpochEnd end = cache.EndOffsetFor(c.asked, 40);
    EXPECT_EQ(end.epoch, c.epoch) << c.asked;
    EXPECT_EQ(end.end_offset, c.end) << c.asked;
  }
  EXPECT_EQ(EpochCache().EndOffsetFor(1, 40).epoch, -1);
}

TEST(EpochCacheTest, TruncatesAtBothEnds) {
  EpochCache cache = Epochs({{1, 0}, {2, 10}, {3, 20}});
  EXPECT_TRUE(cache.TruncateFromEnd(20));
  EXPECT_TRUE(cache.TruncateFromStart(15));
  EXPECT_EQ(cache, Epochs({{2, 15}}));
  EXPECT_FALSE(cache.TruncateFromStart(15));
  EXPECT_FALSE(cache.TruncateFromEnd(16));
}

TEST(EpochCacheTest, FileIsKafkas) {
  const EpochCache cache = Epochs({{0, 0}, {3, 1250}});
  EXPECT_EQ(cache.Encode(), "0\n2\n0 0\n3 1250\n");
  EXPECT_EQ(EpochCache::Decode(cache.Encode()).value(), cache);
  for (const char* bad : {"", "0\n", "1\n0\n", "0\n1\n", "0\n1\n1\n",
                          "0\n1\n1 x\n", "0\n2\n3 0\n2 5\n", "0\n2\n3 5\n4 5\n",
                          "0\n-1\n", "0\n1\n-1 0\n", "0\n1\n99999999999 0\n"}) {
    EXPECT_FALSE(EpochCache::Decode(bad)) << bad;
  }
}

TEST(CheckpointTest, FileIsKafkas) {
  OffsetMap offsets = {{{"a", 0}, 5}, {{"a", 10}, 0}, {{"b.c_d-1", 2}, 7}};
  EXPECT_EQ(EncodeOffsets(offsets), "0\n3\na 0 5\na 10 0\nb.c_d-1 2 7\n");
  EXPECT_EQ(DecodeOffsets(EncodeOffsets(offsets)).value(), offsets);
  for (const char* bad : {"", "0\n1\n", "0\n1\na 1\n", "0\n1\na x 1\n",
                          "0\n1\na -1 1\n", "0\n1\na 1 -1\n"}) {
    EXPECT_FALSE(DecodeOffsets(bad)) << bad;
  }
}

// --- producers

record::BatchHeader Header(ProducerId id, ProducerEpoch epoch, int32_t sequence,
                           int32_t count, Offset base) {
  record::BatchHeader header;
  header.base_offset = base;
  header.last_offset_delta = count - 1;
  header.record_count = count;
  header.producer_id = id;
  header.producer_epoch = epoch;
  header.base_sequence = sequence;
  header.max_timestamp = 1000 + base;
  return header;
}

TEST(ProducerStateTest, SequenceRules) {
  ProducerState state;
  state.Apply(Header(1, 5, 10, 5, 100));
  using enum ErrorCode;
  struct Case {
    const char* name;
    record::BatchHeader batch;
    ErrorCode expected;
    bool duplicate;
  };
  const Case cases[] = {
      {"next", Header(1, 5, 15, 2, 0), kNone, false},
      {"gap", Header(1, 5, 16, 2, 0), kOutOfOrderSequenceNumber, false},
      {"overlap", Header(1, 5, 14, 2, 0), kOutOfOrderSequenceNumber, false},
      {"same again", Header(1, 5, 10, 5, 0), kNone, true},
      {"same first, other length", Header(1, 5, 10, 4, 0),
       kOutOfOrderSequenceNumber, false},
      {"older epoch", Header(1, 4, 15, 2, 0), kInvalidProducerEpoch, false},
      {"new epoch from 0", Header(1, 6, 0, 2, 0), kNone, false},
      {"new epoch, not from 0", Header(1, 6, 15, 2, 0),
       kOutOfOrderSequenceNumber, false},
      {"unknown producer anywhere", Header(2, 0, 77, 1, 0), kNone, false},
      {"not idempotent", Header(-1, -1, -1, 1, 0), kNone, false},
  };
  for (const Case& c : cases) {
    auto checked = state.Check(c.batch);
    EXPECT_EQ(checked ? kNone : checked.error().code, c.expected) << c.name;
    EXPECT_EQ(checked && checked->has_value(), c.duplicate) << c.name;
  }
}

TEST(ProducerStateTest, SequencesWrapBehindTheLargestInteger) {
  ProducerState state;
  state.Apply(Header(1, 0, INT32_MAX - 1, 2, 0));  // ends at 2^31 - 1
  EXPECT_TRUE(state.Check(Header(1, 0, 0, 3, 2)));
  EXPECT_FALSE(state.Check(Header(1, 0, 1, 3, 2)));
  ProducerState across;
  across.Apply(Header(1, 0, INT32_MAX, 3, 0));  // 2^31 - 1, 0, 1
  EXPECT_TRUE(across.Check(Header(1, 0, 2, 1, 3)));
  auto again = across.Check(Header(1, 0, INT32_MAX, 3, 3));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->has_value());
}

// Five are remembered one by one; of those before them, that they are there.
TEST(ProducerStateTest, WhatIsNoLongerRememberedIsStillThere) {
  ProducerState state;
  // Two records each; the first is at 2^31 - 6, and the sequences wrap.
  const auto sequence = [](int i) {
    return static_cast<int32_t>((uint32_t{INT32_MAX} - 5 + 2u * i) &
                                0x7fffffffu);
  };
  for (int i = 0; i < 9; ++i) {
    state.Apply(Header(1, 0, sequence(i), 2, 100 + 2 * i));
  }
  for (int i = 0; i < 9; ++i) {
    const auto again = state.Check(Header(1, 0, sequence(i), 2, 0));
    ASSERT_TRUE(again) << i;
    ASSERT_TRUE(again->has_value()) << i;
    EXPECT_EQ((*again)->first_offset, i < 4 ? -1 : 100 + 2 * i) << i;
    EXPECT_EQ((*again)->last_offset, i < 4 ? 107 : 101 + 2 * i) << i;
  }
  const auto code = [&](const record::BatchHeader& batch) {
    const auto checked = state.Check(batch);
    return checked ? ErrorCode::kNone : checked.error().code;
  };
  // In the middle of those, or all of them: there too.
  EXPECT_EQ(code(Header(1, 0, sequence(0) + 1, 4, 0)), ErrorCode::kNone);
  EXPECT_EQ(code(Header(1, 0, sequence(0), 8, 0)), ErrorCode::kNone);
  // Partly behind them, before the first, and of another epoch.
  for (const auto& batch :
       {Header(1, 0, sequence(0), 9, 0), Header(1, 0, sequence(3), 4, 0),
        Header(1, 0, sequence(0) - 1, 2, 0), Header(1, 0, 1000, 2, 0),
        Header(1, 1, sequence(0), 2, 0)}) {
    EXPECT_EQ(code(batch), ErrorCode::kOutOfOrderSequenceNumber)
        << batch.base_sequence;
  }
}

TEST(ProducerStateTest, WhatNeverCameIsNotThere) {
  ProducerState state;
  // Whoever wrote this had forgotten the producer in between.
  state.Apply(Header(1, 0, 0, 1, 0));
  for (int i = 5; i < 15; ++i) state.Apply(Header(1, 0, i, 1, i));
  EXPECT_FALSE(state.Check(Header(1, 0, 0, 1, 0)));
  EXPECT_FALSE(state.Check(Header(1, 0, 3, 1, 0)));
  EXPECT_FALSE(state.Check(Header(1, 0, 4, 3, 0)));
  EXPECT_TRUE(state.Check(Header(1, 0, 5, 1, 0)));
  // A new epoch begins anew.
  for (int i = 0; i < 5; ++i) state.Apply(Header(1, 1, i, 1, 20 + i));
  EXPECT_FALSE(state.Check(Header(1, 1, INT32_MAX, 1, 0)));
  // A snapshot knows the last batch; what the log has behind it is found there.
  ProducerState loaded;
  ASSERT_TRUE(loaded.LoadSnapshot(state.EncodeSnapshot()));
  EXPECT_FALSE(loaded.Check(Header(1, 1, 0, 1, 0)));
  state.Clear();
  std::vector<record::BatchHeader> tail;
  for (int i = 0; i < 12; ++i) {
    tail.push_back(Header(1, 1, i, 1, 20 + i));
    state.Apply(tail.back());
  }
  ASSERT_TRUE(loaded.LoadSnapshot(state.EncodeSnapshot()));
  loaded.Refill(std::span(tail).subspan(2));
  EXPECT_TRUE(loaded.Check(Header(1, 1, 2, 1, 0)));
  EXPECT_FALSE(loaded.Check(Header(1, 1, 1, 1, 0)));
}

TEST(ProducerStateTest, SnapshotKeepsTheLastBatchInKafkasBytes) {
  ProducerState state;
  state.Apply(Header(7, 2, 0, 3, 40));
  state.Apply(Header(7, 2, 3, 2, 43));
  const std::string bytes = state.EncodeSnapshot();
  ASSERT_EQ(bytes.size(), 10u + 46u);
  EXPECT_EQ(record::LoadBigEndian<int16_t>(bytes.data()), 1);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(bytes.data() + 6), 1);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes.data() + 10), 7);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(bytes.data() + 20), 4);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes.data() + 24), 44);
  ProducerState loaded;
  ASSERT_TRUE(loaded.LoadSnapshot(bytes));
  EXPECT_EQ(loaded.producers().at(7).last(), state.producers().at(7).last());
  EXPECT_EQ(loaded.producers().at(7).count, 1);
  const record::BatchHeader tail[] = {Header(7, 2, 0, 3, 40),
                                      Header(7, 2, 3, 2, 43)};
  loaded.Refill(tail);
  EXPECT_EQ(loaded.producers().at(7).count, 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] ^= 0x10;
    EXPECT_FALSE(loaded.LoadSnapshot(flipped)) << i;
    EXPECT_FALSE(loaded.LoadSnapshot(bytes.substr(0, i))) << i;
  }
}

TEST(ProducerStateTest, ForgetsTheSilentAndTheCut) {
  ProducerState state;
  state.Apply(Header(1, 0, 0, 1, 0));   // at 1000 ms
  state.Apply(Header(2, 0, 0, 1, 50));  // at 1050 ms
  state.Apply(Header(2, 0, 1, 1, 51));
  EXPECT_TRUE(state.TruncateTo(51));
  EXPECT_EQ(state.producers().at(2).last().last_offset, 50);
  state.Expire(1100, 100);
  EXPECT_FALSE(state.producers().contains(1));
  EXPECT_TRUE(state.producers().contains(2));
  EXPECT_FALSE(state.TruncateTo(50)) << "nothing left of producer 2";
}

// --- validation

TEST(AppendValidationTest, CodesOfKafka) {
  using enum ErrorCode;
  auto edit = [](auto change, record::BatchOptions options = {}) {
    std::string batch = Batch(2, kNow, options);
    change(batch);
    record::StoreBigEndian(record::ComputeCrc(batch),
                           batch.data() + record::kCrcAt);
    return batch;
  };
  auto set32 = [](size_t at, int32_t value) {
    return
        [=](std::string& b) { record::StoreBigEndian(value, b.data() + at); };
  };
  record::BatchOptions control, transactional;
  control.control = true;
  transactional.transactional = true;
  transactional.producer_id = 1;
  transactional.producer_epoch = 0;
  transactional.base_sequence = 0;
  record::BatchOptions nobodys;
  nobodys.transactional = true;
  record::BatchBuilder no_key;
  no_key.Add(kNow, "k", "v").Add(kNow, std::nullopt, "v");
  LogConfig plain, compacted, small, append_time;
  compacted.compacted = true;
  small.max_message_bytes = 70;
  append_time.log_append_time = true;
  struct Case {
    const char* name;
    std::string batch;
    const LogConfig& config;
    ErrorCode client, coordinator;
  };
  std::string bad_crc = Batch(2);
  bad_crc[70] ^= 1;
  auto stamped =
      edit([](std::string& b) { b[record::kAttributesAt + 1] |= 8; });
  const Case cases[] = {
      {"good", Batch(2), plain, kNone, kNone},
      {"empty", "", plain, kCorruptMessage, kCorruptMessage},
      {"header only", Batch(2).substr(0, 61), plain, kCorruptMessage,
       kCorruptMessage},
      {"too large", Batch(2), small, kMessageTooLarge, kMessageTooLarge},
      {"checksum", bad_crc, plain, kCorruptMessage, kCorruptMessage},
      {"two batches", Batch(1) + Batch(1), plain, kInvalidRecord,
       kInvalidRecord},
      {"bytes behind", Batch(1) + "x", plain, kInvalidRecord, kInvalidRecord},
      {"old magic", edit([](std::string& b) { b[record::kMagicAt] = 1; }),
       plain, kInvalidRecord, kInvalidRecord},
      {"count 0", edit(set32(record::kRecordCountAt, 0)), plain, kInvalidRecord,
       kInvalidRecord},
      {"count too large", edit(set32(record::kRecordCountAt, 3)), plain,
       kInvalidRecord, kInvalidRecord},
      {"count negative", edit(set32(record::kRecordCountAt, -1)), plain,
       kCorruptMessage, kCorruptMessage},
      {"length negative", edit(set32(record::kLengthAt, -5)), plain,
       kCorruptMessage, kCorruptMessage},
      {"length of 2 GB", edit(set32(record::kLengthAt, INT32_MAX)), plain,
       kCorruptMessage, kCorruptMessage},
      {"control", Batch(1, kNow, control), plain, kInvalidRecord, kNone},
      {"transactional", Batch(1, kNow, transactional), plain, kNone, kNone},
      {"transaction of nobody", Batch(1, kNow, nobodys), plain, kInvalidRecord,
       kInvalidRecord},
      {"offsets in a transaction", Batch(1, kNow, Transactional(3, -1)), plain,
       kInvalidRecord, kNone},
      {"small batches only", Marker(3, true), small, kMessageTooLarge, kNone},
      {"no sequence", Batch(1, kNow, Idempotent(3, -1)), plain, kInvalidRecord,
       kNone},
      {"log append time", stamped, plain, kInvalidTimestamp, kInvalidTimestamp},
      {"log append time wanted", stamped, append_time, kNone, kNone},
      {"unknown codec",
       edit([](std::string& b) { b[record::kAttributesAt + 1] |= 7; }), plain,
       kUnsupportedCompressionType, kUnsupportedCompressionType},
      {"no key", no_key.Build(), plain, kNone, kNone},
      {"no key, compacted", no_key.Build(), compacted, kInvalidRecord,
       kInvalidRecord},
      {"keys, compacted", Batch(2), compacted, kNone, kNone},
  };
  for (const Case& c : cases) {
    auto code = [&](BatchOrigin origin) {
      auto result = ValidateAppend(c.batch, c.config, origin);
      return result ? kNone : result.error().code;
    };
    EXPECT_EQ(code(BatchOrigin::kClient), c.client) << c.name;
    EXPECT_EQ(code(BatchOrigin::kCoordinator), c.coordinator) << c.name;
  }
}

// --- indexes

TEST(IndexTest, LookupGivesTheEntryAtOrBefore) {
  sim::SimDisk disk(1);
  OffsetIndex offsets(disk, "/o", 1000);
  const auto all = [](const auto&) -> Result<bool> { return true; };
  TimeIndex times(disk, "/t", 1000);
  for (int i = 1; i <= 300; ++i) {  // more than the tail in memory holds
    ASSERT_TRUE(offsets.Append(1000 + i * 10, static_cast<uint32_t>(i * 100)));
    ASSERT_TRUE(times.MaybeAppend(i * 5, 1000 + i * 10));
    ASSERT_TRUE(times.MaybeAppend(i * 5, 1000 + i * 10 + 1)) << "ignored";
  }
  for (bool loaded : {false, true}) {
    if (loaded) {
      ASSERT_TRUE(offsets.file().Flush());
      ASSERT_TRUE(times.file().Flush());
      ASSERT_TRUE(offsets.Load(1 << 20));
      ASSERT_TRUE(times.Load());
    }
    EXPECT_EQ(offsets.Lookup(1000, all).value(), 0u);
    EXPECT_EQ(offsets.Lookup(1010, all).value(), 100u);
    EXPECT_EQ(offsets.Lookup(1019, all).value(), 100u);
    EXPECT_EQ(offsets.Lookup(9000, all).value(), 30000u);
    EXPECT_EQ(offsets.FloorOfPosition(25050, all).value(), 25000u);
    EXPECT_EQ(times.count(), 300u);
    EXPECT_EQ(times.Lookup(4, all).value().offset, 1000);
    EXPECT_EQ(times.Lookup(12, all).value().offset, 1020);
    EXPECT_EQ(times.Last().timestamp_ms, 1500);
  }
  ASSERT_TRUE(offsets.TruncateToPosition(500));
  ASSERT_TRUE(times.TruncateTo(1050));
  EXPECT_EQ(offsets.Lookup(9000, all).value(), 400u);
  EXPECT_EQ(times.Last().offset, 1040);
  EXPECT_FALSE(offsets.Load(400)) << "points behind the segment";
}

TEST(SegmentTest, FileNamesAreKafkas) {
  EXPECT_EQ(SegmentFileName(1234, ".log"), "00000000000000001234.log");
  EXPECT_EQ(ParseSegmentFileName("00000000000000001234.log", ".log"), 1234);
  EXPECT_FALSE(ParseSegmentFileName("1234.log", ".log"));
  EXPECT_FALSE(ParseSegmentFileName("0000000000000000123x.log", ".log"));
  EXPECT_FALSE(ParseSegmentFileName("00000000000000001234.log", ".index"));
}

}  // namespace
}  // namespace tidemark::log
