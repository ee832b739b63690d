#include "common/record/batch_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "common/record/batch_builder.h"
#include "common/record/big_endian.h"
#include "common/record/varint.h"
#include "tests/unit/common/record/golden_batches.h"

namespace tidemark::record {
namespace {

// The records as text, or the error.
std::string Show(std::string_view batch) {
  std::string out;
  const Status status = ForEachRecord(batch, [&](const Record& r) -> Status {
    out += std::to_string(r.offset) + "@" + std::to_string(r.timestamp) + " ";
    out += r.key ? std::string(*r.key) : "null";
    out += "=";
    out += r.value ? std::string(*r.value) : "null";
    for (const RecordHeader& h : r.headers) {
      out += " " + std::string(h.key) + ":" +
             (h.value ? std::string(*h.value) : "null");
    }
    out += "\n";
    return {};
  });
  return status ? out : out + ToString(status.error());
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy,
                             Codec::kLz4, Codec::kZstd};

TEST(BatchReader, ReadsWhatKafkaCompressed) {
  const auto golden = LoadGoldenBatches();
  const char* topics[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
  const std::string stamp = "@1700000000000 ";
  const auto expected = [&](int base) {
    const auto at = [&](int delta) { return std::to_string(base + delta); };
    return at(0) + stamp + "key=" + Repeat("value", 40) + "\n" + at(1) + stamp +
           "null=" + Repeat("x", 500) + " h:1\n" + at(2) + stamp + "k=null\n";
  };
  for (size_t i = 0; i < std::size(topics); ++i) {
    BatchIterator batches(golden.at(topics[i]));
    int base = 0;
    while (true) {
      const auto batch = batches.Next();
      ASSERT_TRUE(batch) << topics[i];
      if (!*batch) break;
      EXPECT_EQ((*batch)->header.codec(), kCodecs[i]) << topics[i];
      EXPECT_EQ(Show((*batch)->bytes), expected(base)) << topics[i];
      base += 3;
    }
    EXPECT_GT(base, 0) << topics[i];
    EXPECT_EQ(batches.position(), golden.at(topics[i]).size());
  }
}

TEST(BatchReader, BuildsAsKafkaDoes) {
  const std::string golden = LoadGoldenBatches().at("uncompressed");
  const auto header = ParseBatchHeader(golden);
  ASSERT_TRUE(header);
  const RecordHeader h{"h", "1"};
  BatchBuilder builder({.leader_epoch = 0});
  builder.Add(1700000000000, "key", Repeat("value", 40))
      .Add(1700000000000, std::nullopt, Repeat("x", 500), {&h, 1})
      .Add(1700000000000, "k", std::nullopt);
  EXPECT_EQ(builder.Build(), golden.substr(0, header->FullSize()));
}

TEST(BatchReader, RoundTripsEachCodec) {
  for (const Codec codec : kCodecs) {
    const RecordHeader headers[] = {{"a", "1"}, {"b", std::nullopt}, {"", ""}};
    const std::string batch = BatchBuilder({.codec = codec, .base_offset = 40})
                                  .Add(100, "k", "v", headers)
                                  .Add(90, "", "")
                                  .Add(110, std::nullopt, std::nullopt)
                                  .Build();
    const auto header = ParseAndVerifyBatch(batch);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->codec(), codec);
    EXPECT_EQ(header->max_timestamp, 110);
    EXPECT_EQ(Show(batch),
              "40@100 k=v a:1 b:null :\n41@90 =\n42@110 null=null\n");
  }
}

TEST(BatchReader, LogAppendTimeHoldsForEveryRecord) {
  std::string batch = BatchBuilder().Add(1, "a", "b").Add(2, "c", "d").Build();
  SetLogAppendTime(batch.data(), batch.size(), 500);
  EXPECT_EQ(Show(batch), "0@500 a=b\n1@500 c=d\n");
}

TEST(BatchReader, FlagsOfControlAndTransactions) {
  const auto header =
      ParseBatchHeader(BatchBuilder({.transactional = true, .control = true})
                           .Add(1, "k", "v")
                           .Build());
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->IsControl());
  EXPECT_TRUE(header->IsTransactional());
  EXPECT_FALSE(header->HasProducerId());
}

TEST(BatchReader, EmptyBatchesOfCompactionHaveNoRecords) {
  EXPECT_EQ(Show(BatchBuilder().Build()), "");
}

TEST(BatchIterator, EndsBeforeABatchThatIsCutOff) {
  const std::string one = BatchBuilder().Add(1, "a", "b").Build();
  const std::string two = one + one;
  for (size_t size = one.size(); size < two.size(); ++size) {
    const std::string cut = two.substr(0, size);
    BatchIterator batches(cut);
    ASSERT_TRUE(*batches.Next());
    const auto end = batches.Next();
    ASSERT_TRUE(end) << size;
    EXPECT_FALSE(*end) << size;
    EXPECT_EQ(batches.position(), one.size());
  }
}

TEST(BatchIterator, CorruptHeadersAreErrors) {
  std::string batch = BatchBuilder().Add(1, "a", "b").Build();
  StoreBigEndian<int32_t>(-5, batch.data() + kLengthAt);
  BatchIterator batches(batch);
  EXPECT_FALSE(batches.Next());
  EXPECT_FALSE(batches.Next());
}

// A batch around records written by hand.
std::string Around(std::string_view records, int32_t count,
                   int32_t last_delta = 0) {
  std::string batch(kBatchHeaderSize, '\0');
  batch += records;
  BatchHeader header;
  header.batch_length = static_cast<int32_t>(batch.size() - kLogOverhead);
  header.record_count = count;
  header.last_offset_delta = last_delta;
  WriteBatchHeader(header, batch.data());
  return batch;
}

TEST(BatchReader, RefusesRecordsThatDoNotFit) {
  // length, attributes, timestamp, offset, key, value, headers
  const std::string good = FromHex(
      "0c"
      "00"
      "00"
      "00"
      "01"
      "01"
      "00");
  ASSERT_EQ(Show(Around(good, 1)), "0@-1 null=null\n");
  struct {
    const char* name;
    std::string batch;
  } const cases[] = {
      {"count too large", Around(good, 2)},
      {"count of 2^31", Around(good, INT32_MAX)},
      {"count too small", Around(good + good, 1)},
      {"length beyond the batch", Around(FromHex("0e00000001010000"), 1)},
      {"length shorter than the fields", Around(FromHex("0a000000010100"), 1)},
      {"length longer than the fields",
       Around(FromHex("0e0000000101000000"), 1)},
      {"length 0", Around(FromHex("00"), 1)},
      {"length negative", Around(FromHex("01"), 1)},
      {"key beyond the record", Around(FromHex("0c000000"
                                               "20"
                                               "0100"),
                                       1)},
      {"key length -2", Around(FromHex("0c000000"
                                       "03"
                                       "0100"),
                               1)},
      {"value of 2^31", Around(FromHex("14000000"
                                       "01"
                                       "feffffff0f"
                                       "00"),
                               1)},
      {"headers of 2^31", Around(FromHex("14000000"
                                         "0101"
                                         "feffffff0f"),
                                 1)},
      {"headers negative", Around(FromHex("0c000000"
                                          "0101"
                                          "01"),
                                  1)},
      {"header key null", Around(FromHex("10000000"
                                         "0101"
                                         "02"
                                         "0101"),
                                 1)},
      {"offset repeats", Around(good + good, 2, 1)},
      {"offset beyond the batch", Around(FromHex("0c0000"
                                                 "0a"
                                                 "010100"),
                                         1)},
      {"offset negative", Around(FromHex("0c0000"
                                         "01"
                                         "010100"),
                                 1)},
  };
  for (const auto& [name, batch] : cases) {
    EXPECT_NE(Show(batch).find("INVALID_RECORD"), std::string::npos) << name;
  }
}

TEST(BatchReader, RefusesBatchesOfAnotherSize) {
  const std::string batch = BatchBuilder().Add(1, "a", "b").Build();
  EXPECT_FALSE(RecordReader::Open(batch + "x"));
  EXPECT_FALSE(RecordReader::Open(batch.substr(0, batch.size() - 1)));
  EXPECT_FALSE(RecordReader::Open(""));
}

TEST(BatchReader, RefusesToDecompressBeyondTheLimit) {
  const std::string batch = BatchBuilder({.codec = Codec::kZstd})
                                .Add(1, "a", std::string(1 << 20, 'x'))
                                .Build();
  EXPECT_TRUE(RecordReader::Open(batch, 2 << 20));
  const auto refused = RecordReader::Open(batch, 1 << 20);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorruptMessage);
}

TEST(BatchReader, FlippedBytesNeverCrash) {
  std::mt19937 random(6);
  for (const auto& [topic, bytes] : LoadGoldenBatches()) {
    const size_t size = *PeekBatchSize(bytes);
    for (int round = 0; round < 3000; ++round) {
      std::string bad = bytes.substr(0, size);
      const size_t at = kCrcAt + random() % (size - kCrcAt);
      bad[at] = static_cast<char>(random());
      (void)ForEachRecord(
          bad, [](const Record&) -> Status { return {}; }, 1 << 20);
    }
  }
}

}  // namespace
}  // namespace tidemark::record
