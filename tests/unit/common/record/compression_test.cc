#include "common/record/compression.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include <random>

#include "common/record/big_endian.h"

namespace tidemark::record {
namespace {

class EachCodec : public testing::TestWithParam<Codec> {};

std::string Noise(size_t size) {
  std::mt19937 random(4);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

TEST_P(EachCodec, RoundTrips) {
  for (const std::string& plain :
       {std::string(), std::string("x"), std::string(300'000, 'y'),
        Noise(200'000), Noise(65536)}) {
    const std::string packed = Compress(GetParam(), plain);
    const auto back = Decompress(GetParam(), packed);
    ASSERT_TRUE(back) << ToString(back.error());
    EXPECT_EQ(*back, plain);
  }
}

TEST_P(EachCodec, StopsAtTheLimit) {
  const std::string plain(1 << 20, 'z');
  const std::string packed = Compress(GetParam(), plain);
  EXPECT_TRUE(Decompress(GetParam(), packed, plain.size()));
  for (const size_t limit : {size_t{0}, size_t{1}, plain.size() - 1}) {
    const auto refused = Decompress(GetParam(), packed, limit);
    ASSERT_FALSE(refused) << limit;
    EXPECT_EQ(refused.error().code, ErrorCode::kCorruptMessage);
  }
}

TEST_P(EachCodec, DamageNeverCrashes) {
  if (GetParam() == Codec::kNone) return;
  const std::string plain = Noise(400) + std::string(400, 'a');
  const std::string packed = Compress(GetParam(), plain);
  for (size_t size = 0; size < packed.size(); ++size) {
    const auto cut = Decompress(GetParam(), packed.substr(0, size));
    // A stream of blocks may end between two of them.
    EXPECT_TRUE(!cut || cut->size() < plain.size());
  }
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string bad = packed;
    bad[random() % bad.size()] = static_cast<char>(random());
    (void)Decompress(GetParam(), bad, 1 << 20);
  }
}

INSTANTIATE_TEST_SUITE_P(Compression, EachCodec,
                         testing::Values(Codec::kNone, Codec::kGzip,
                                         Codec::kSnappy, Codec::kLz4,
                                         Codec::kZstd));

TEST(Compression, SnappyMayBeRaw) {
  std::string raw;
  snappy::Compress("hello hello", 11, &raw);
  EXPECT_EQ(Decompress(Codec::kSnappy, raw), "hello hello");
}

TEST(Compression, SnappyStreamsMayBeConcatenated) {
  const std::string one = Compress(Codec::kSnappy, "one ");
  EXPECT_EQ(Decompress(Codec::kSnappy, one + Compress(Codec::kSnappy, "two")),
            "one two");
}

// A length of 64 MiB in front of four bytes: believed only as far as the
// bytes can stand for it.
TEST(Compression, SnappyLengthsAreNotBelieved) {
  EXPECT_FALSE(Decompress(Codec::kSnappy,
                          "\x80\x80\x80\x20"
                          "abcd"));
}

TEST(Compression, MembersAndFramesMayBeConcatenated) {
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    EXPECT_EQ(
        Decompress(codec, Compress(codec, "one ") + Compress(codec, "two")),
        "one two");
  }
}

TEST(Compression, UnknownCodecsAreRefused) {
  for (const int codec : {5, 6, 7}) {
    EXPECT_FALSE(IsKnownCodec(static_cast<Codec>(codec)));
    const auto refused = Decompress(static_cast<Codec>(codec), "x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupportedCompressionType);
  }
}

}  // namespace
}  // namespace tidemark::record
