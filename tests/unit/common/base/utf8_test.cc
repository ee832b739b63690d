#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(CutUtf8, KeepsWholeCharacters) {
  const std::string_view text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t max = 0; max < std::size(expected); ++max) {
    EXPECT_EQ(CutUtf8(text, max).size(), expected[max]) << max;
  }
}

TEST(CutUtf8, OtherBytesAreCutAnywhere) {
  EXPECT_EQ(CutUtf8(std::string(10, '\x80'), 7).size(), 7u);
  EXPECT_EQ(CutUtf8(std::string(10, '\xff'), 7).size(), 7u);
}

TEST(Utf8, WellFormed) {
  for (const char* text :
       {"", "orders", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
}

TEST(Utf8, IllFormed) {
  for (const char* text :
       {"\xff", "\x80", "a\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82",
        "\xf0\x9f\x98"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

}  // namespace
}  // namespace tidemark
