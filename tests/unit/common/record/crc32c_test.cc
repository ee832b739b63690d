#include "common/record/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemark::record {
namespace {

// RFC 3720, B.4, and the customary check value.
TEST(Crc32c, KnownAnswers) {
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(ascending), 0x46DD794Eu);
}

TEST(Crc32c, ExtendsPartByPart) {
  std::string text(5000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  const uint32_t whole = Crc32c(text);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{7}, size_t{4096}}) {
    const std::string_view view = text;
    EXPECT_EQ(ExtendCrc32c(Crc32c(view.substr(0, cut)), view.substr(cut)),
              whole);
  }
}

}  // namespace
}  // namespace tidemark::record
