#include <gtest/gtest.h>

#include <random>

#include "common/record/big_endian.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::kafka {
namespace {

// Of long frames every byte in front is tried and some of the rest.
constexpr size_t kEveryByteUpTo = 600;
constexpr size_t kThenEvery = 97;

size_t Next(size_t at) {
  return at < kEveryByteUpTo ? at + 1 : at + kThenEvery;
}

TEST(Hostile, TruncatedMessagesAreRefused) {
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    const SharedBytes body = BodyOf(golden);
    for (size_t size = 0; size < body.size(); size = Next(size)) {
      // A copy of its own lets a sanitizer see reads past the end.
      const SharedBytes cut{std::string(body.view().substr(0, size))};
      const auto result = golden.recode(cut, golden.version);
      ASSERT_FALSE(result) << golden.name << " cut to " << size;
      ASSERT_EQ(result.error().code, ErrorCode::kInvalidRequest);
    }
  }
}

TEST(Hostile, TruncatedHeadersAreRefused) {
  const GoldenFrame golden = LoadGoldenFrames().front();
  ASSERT_TRUE(golden.is_request);
  for (size_t size = 0; size < 8 + 2 + 7; ++size) {
    const SharedBytes cut{std::string(golden.frame.view().substr(0, size))};
    EXPECT_FALSE(DecodeRequestHeader(cut)) << size;
  }
  EXPECT_FALSE(DecodeResponseHeader(SharedBytes("abc"), ApiKey::kFetch, 4));
  EXPECT_FALSE(DecodeResponseHeader(SharedBytes("abcd"), ApiKey::kFetch, 12));
}

TEST(Hostile, BytesAfterTheMessageAreRefused) {
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    const SharedBytes longer(std::string(BodyOf(golden).view()) + '\0');
    EXPECT_FALSE(golden.recode(longer, golden.version)) << golden.name;
  }
}

TEST(Hostile, FlippedBytesNeverCrash) {
  std::mt19937_64 random(3);
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    for (int round = 0; round < 100; ++round) {
      std::string bytes(BodyOf(golden).view());
      if (bytes.empty()) break;
      for (uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      // What is accepted must be a message that can be sent again.
      const auto result = golden.recode(SharedBytes(bytes), golden.version);
      if (!result) continue;
      EXPECT_TRUE(golden.recode(SharedBytes(*result), golden.version))
          << golden.name;
    }
  }
}

TEST(Hostile, HugeNumbersAnywhereNeverCrash) {
  const std::string_view huge[] = {
      std::string_view("\x7f\xff\xff\xff", 4),
      std::string_view("\xff\xff\xff\xfe", 4),
      std::string_view("\x80\x00\x00\x00", 4),
      std::string_view("\xff\xff\xff\xff\x0f", 5),
      std::string_view("\xff\xff\xff\xff\x7f", 5),
      std::string_view("\x7f\xff", 2),
  };
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    const std::string good(BodyOf(golden).view());
    for (size_t at = 0; at < good.size(); at = Next(at)) {
      for (const std::string_view number : huge) {
        if (at + number.size() > good.size()) continue;
        std::string bytes = good;
        bytes.replace(at, number.size(), number);
        (void)golden.recode(SharedBytes(std::move(bytes)), golden.version);
      }
    }
  }
}

struct Refused {
  const char* name;
  std::string body;
  int16_t version;
  const char* reason;
};

class RefusedMetadata : public testing::TestWithParam<Refused> {};

TEST_P(RefusedMetadata, Request) {
  const auto result = DecodeRequest<MetadataRequest>(
      SharedBytes(GetParam().body), GetParam().version);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(result.error().message, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, RefusedMetadata,
    testing::Values(Refused{"CountOf2To31", FromHex("7fffffff"), 0,
                            "array count larger than the message"},
                    Refused{"CountBeyondTheBytes", FromHex("000000030001"), 0,
                            "array count larger than the message"},
                    Refused{"NegativeCount", FromHex("fffffffe"), 1,
                            "negative array count"},
                    Refused{"NullArrayBeforeItIsNullable", FromHex("ffffffff"),
                            0, "null array"},
                    Refused{"NullString", FromHex("00000001ffff"), 0,
                            "null string"},
                    Refused{"NegativeStringLength", FromHex("00000001fffe"), 0,
                            "negative string length"},
                    Refused{"StringBeyondTheBytes", FromHex("00000001000541"),
                            0, "message ends early"},
                    Refused{"CompactCountOf2To32",
                            FromHex("ffffffff0f010000"
                                    "00"),
                            9, "array count larger than the message"},
                    Refused{"VarintOfSixBytes", FromHex("808080808000010000"),
                            9, "varint cut off or too large"},
                    Refused{"CompactNullString",
                            FromHex("020000"
                                    "01000000"),
                            9, "null string"},
                    Refused{"TagBeyondTheBytes",
                            FromHex("0001000001"
                                    "0505"),
                            9, "tagged field longer than the message"},
                    Refused{"TagCountBeyondTheBytes",
                            FromHex("00010000"
                                    "ffffffff0f"),
                            9, "varint cut off or too large"}),
    [](const auto& info) { return info.param.name; });

TEST(Hostile, CompactStringsHaveTheOldLimit) {
  std::string body = FromHex("02");
  body += FromHex("818002");  // 32768 bytes + 1
  body += std::string(32768, 'a') + FromHex("0001000000");
  const auto result = DecodeRequest<MetadataRequest>(SharedBytes(body), 9);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "string longer than 32767 bytes");
}

TEST(Hostile, UnknownTagsAreSkipped) {
  // topics null, three bools, one tagged field 5 of two bytes.
  const auto result = DecodeRequest<MetadataRequest>(
      SharedBytes(FromHex("000100000105024142")), 9);
  ASSERT_TRUE(result) << ToString(result.error());
  EXPECT_FALSE(result->topics);
  EXPECT_TRUE(result->allow_auto_topic_creation);
}

// cluster_id, tag 0 of Fetch 12, announced as five bytes but three long.
TEST(Hostile, KnownTagsMustBeAsLongAsTheySay) {
  FetchRequest request;
  std::string body = EncodeBody(request, 12);
  ASSERT_EQ(body.back(), '\0');
  body.pop_back();
  const std::string right = body + FromHex(
                                       "01"
                                       "00"
                                       "03"
                                       "034142");
  const std::string wrong = body + FromHex(
                                       "01"
                                       "00"
                                       "05"
                                       "0341420000");
  EXPECT_EQ(DecodeRequest<FetchRequest>(SharedBytes(right), 12)->cluster_id,
            "AB");
  EXPECT_FALSE(DecodeRequest<FetchRequest>(SharedBytes(wrong), 12));
}

TEST(Hostile, UnsupportedVersionsAreNotDecoded) {
  for (const int version : {-1, 3, 18, 32767}) {
    const auto result = DecodeRequest<FetchRequest>(
        SharedBytes(), static_cast<int16_t>(version));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupportedVersion);
  }
}

}  // namespace
}  // namespace tidemark::kafka
