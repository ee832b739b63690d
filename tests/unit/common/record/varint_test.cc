#include "common/record/varint.h"

#include <gtest/gtest.h>

namespace tidemark::record {
namespace {

TEST(Varint, ZigZagExamples) {
  const std::pair<int64_t, std::string> cases[] = {
      {0, std::string(1, '\0')},
      {-1, "\x01"},
      {1, "\x02"},
      {63, "\x7e"},
      {64, std::string("\x80\x01")},
      {-65, std::string("\x81\x01")},
      {INT32_MAX, "\xfe\xff\xff\xff\x0f"},
      {INT32_MIN, "\xff\xff\xff\xff\x0f"},
      {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
      {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
  };
  for (const auto& [value, bytes] : cases) {
    std::string out;
    AppendVarint(value, &out);
    EXPECT_EQ(out, bytes) << value;
    EXPECT_EQ(VarintSize(value), bytes.size()) << value;
    std::string_view in = out;
    int64_t back = 0;
    ASSERT_TRUE(ReadVarint64(&in, &back)) << value;
    EXPECT_EQ(back, value);
    EXPECT_TRUE(in.empty());
    in = out;
    int32_t narrow = 0;
    EXPECT_EQ(ReadVarint32(&in, &narrow),
              value >= INT32_MIN && value <= INT32_MAX)
        << value;
  }
}

TEST(Varint, RefusesWhatEndsEarlyOrIsTooLong) {
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("\x80"),
        std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        std::string_view("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")}) {
    std::string_view in = bad;
    uint64_t value = 42;
    EXPECT_FALSE(ReadUnsignedVarint64(&in, &value));
    EXPECT_EQ(value, 42u);
    EXPECT_EQ(in.size(), bad.size());
  }
  std::string_view five = "\xff\xff\xff\xff\x1f";
  uint32_t value = 42;
  EXPECT_FALSE(ReadUnsignedVarint32(&five, &value));
  EXPECT_EQ(five.size(), 5u);
}

}  // namespace
}  // namespace tidemark::record
