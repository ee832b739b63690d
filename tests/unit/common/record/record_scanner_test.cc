#include "common/record/record_scanner.h"

#include <gtest/gtest.h>

#include <random>

#include "common/record/batch_builder.h"
#include "common/record/compression.h"
#include "common/record/varint.h"

namespace tidemark::record {
namespace {

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy,
                             Codec::kLz4, Codec::kZstd};

// A batch of these record bytes, whatever they are.
std::string BatchOf(Codec codec, int32_t count, std::string_view records) {
  BatchHeader header;
  std::string batch(kBatchHeaderSize, '\0');
  batch += Compress(codec, records);
  header.batch_length = static_cast<int32_t>(batch.size() - kLogOverhead);
  header.attributes = static_cast<int16_t>(codec);
  header.record_count = count;
  header.last_offset_delta = count - 1;
  WriteBatchHeader(header, batch.data());
  header.crc = ComputeCrc(batch);
  WriteBatchHeader(header, batch.data());
  return batch;
}

// "" or what is wrong; `seen` counts the good ones.
std::string Scan(const std::string& batch, size_t limit = 1 << 30,
                 int* seen = nullptr) {
  auto scanner =
      RecordScanner::Open(batch, ParseBatchHeader(batch).value(), limit);
  if (!scanner) return ToString(scanner.error());
  while (true) {
    const auto record = scanner->Next();
    if (!record) return ToString(record.error());
    if (!*record) return "";
    if (seen != nullptr) ++*seen;
  }
}

TEST(RecordScanner, ReadsWhatABuilderMakesWithEveryCodec) {
  for (const Codec codec : kCodecs) {
    BatchBuilder builder({.codec = codec});
    const std::string large(200'000, 'v');  // longer than any piece
    std::vector<RecordHeader> headers = {{"h", "v"}, {"", std::nullopt}};
    for (int i = 0; i < 1000; ++i) {
      builder.Add(
          1000 - i, i % 3 == 0 ? std::nullopt : std::optional("k"),
          i % 100 == 0 ? std::optional<std::string_view>(large) : std::nullopt,
          i % 2 == 0 ? headers : std::vector<RecordHeader>());
    }
    const std::string batch = builder.Build();
    auto scanner =
        RecordScanner::Open(batch, ParseBatchHeader(batch).value(), 1 << 30);
    ASSERT_TRUE(scanner);
    for (int i = 0; i < 1000; ++i) {
      const auto record = scanner->Next().value();
      ASSERT_TRUE(record) << i;
      EXPECT_EQ(record->index, i);
      EXPECT_EQ(record->timestamp_delta, -i);
      EXPECT_EQ(record->has_key, i % 3 != 0);
    }
    EXPECT_FALSE(scanner->Next().value());
  }
}

TEST(RecordScanner, RefusesWhatNoConsumerReads) {
  // length, attributes, timestamp and offset delta, key, value, headers
  const std::string good("\x0c\0\0\0\1\1\0", 7);
  const struct {
    const char* name;
    std::string records;
  } cases[] = {
      {"nothing", ""},
      {"length beyond the bytes", std::string("\x7e\0\0\0\1\1\0", 7)},
      {"negative length", std::string("\1\0\0\0\1\1\0", 7)},
      {"length too short", std::string("\x0a\0\0\0\1\1\0", 7)},
      {"length too long", std::string("\x0e\0\0\0\1\1\0\0", 8)},
      {"offset delta", std::string("\x0c\0\0\2\1\1\0", 7)},
      {"negative header count", std::string("\x0c\0\0\0\1\1\1", 7)},
      {"header count beyond", std::string("\x0c\0\0\0\1\1\2", 7)},
      {"null header key", std::string("\x10\0\0\0\1\1\2\1\1", 9)},
      {"key length -2", std::string("\x0c\0\0\0\3\1\0", 7)},
      {"key beyond the record", std::string("\x0c\0\0\0\x7e\1\0", 7)},
      {"varint of six bytes",
       std::string("\x14\0\0\0\xff\xff\xff\xff\xff\1\0", 11)},
      {"one too many", good + std::string("\x0c\0\0\2\1\1\0", 7)},
      {"garbage behind", good + "x"},
  };
  for (const Codec codec : kCodecs) {
    EXPECT_EQ(Scan(BatchOf(codec, 1, good)), "");
    for (const auto& c : cases) {
      EXPECT_EQ(Scan(BatchOf(codec, 1, c.records)).substr(0, 14),
                "INVALID_RECORD")
          << c.name << " " << static_cast<int>(codec);
    }
  }
}

TEST(RecordScanner, GarbageBehindACodecIsNoBatch) {
  for (const Codec codec : kCodecs) {
    if (codec == Codec::kNone) continue;
    std::string batch = BatchOf(Codec::kNone, 3, "these are no records at all");
    batch[kAttributesAt + 1] = static_cast<char>(codec);
    EXPECT_EQ(Scan(batch).substr(0, 15), "CORRUPT_MESSAGE");
  }
}

// A megabyte that stands for a gigabyte costs time up to the bound.
TEST(RecordScanner, ABombIsRefusedAtTheBound) {
  std::string records;
  AppendVarint(40 << 20, &records);
  records += std::string("\0\0\0\1", 4);
  AppendVarint((40 << 20) - 20, &records);
  records.append(40 << 20, '\0');
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    const std::string batch = BatchOf(codec, 1, records);
    EXPECT_LT(batch.size(), 1u << 20);
    EXPECT_NE(Scan(batch, 4 << 20).find("unpacks to more than"),
              std::string::npos);
  }
}

TEST(RecordScanner, DamageNeverCrashesNorPassesAsMoreRecords) {
  std::mt19937 random(7);
  for (const Codec codec : kCodecs) {
    BatchBuilder builder({.codec = codec});
    for (int i = 0; i < 20; ++i) builder.Add(i, "key", "some value");
    const std::string good = builder.Build();
    for (int round = 0; round < 3000; ++round) {
      std::string bad = good;
      for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
        bad[kBatchHeaderSize + random() % (bad.size() - kBatchHeaderSize)] =
            static_cast<char>(random());
      }
      int seen = 0;
      (void)Scan(bad, 1 << 20, &seen);
      EXPECT_LE(seen, 20);
    }
  }
}

}  // namespace
}  // namespace tidemark::record
