#include "broker/kafka/frame_reader.h"

#include <gmock/gmock.h>

#include <cstring>

namespace tidemark::server {
namespace {

std::string Frame(const std::string& payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>(size >> shift);
  }
  return frame + payload;
}

// Everything that comes out when `bytes` arrive at most `step` at a time.
std::vector<std::string> Feed(FrameReader& reader, std::string_view bytes,
                              size_t step) {
  std::vector<std::string> frames;
  while (!bytes.empty()) {
    std::span<char> space = reader.Space();
    EXPECT_FALSE(space.empty());
    const size_t count = std::min({step, space.size(), bytes.size()});
    std::memcpy(space.data(), bytes.data(), count);
    reader.Filled(count);
    bytes.remove_prefix(count);
    while (true) {
      auto frame = reader.Next();
      if (!frame) return {"error: " + frame.error().message};
      if (!*frame) break;
      frames.emplace_back((*frame)->view());
    }
  }
  return frames;
}

TEST(FrameReader, FramesComeOutWholeWhateverTheSteps) {
  const std::string small = "abc";
  const std::string large(3'000'000, 'x');
  const std::string empty;
  for (size_t step : {1, 3, 4, 5, 8192, 100000, 10000000}) {
    if (step == 1) continue;  // with the large frame: below
    FrameReader reader(100 << 20);
    EXPECT_THAT(
        Feed(reader, Frame(small) + Frame(empty) + Frame(large) + Frame(small),
             step),
        testing::ElementsAre(small, empty, large, small))
        << step;
  }
  FrameReader reader(100);
  EXPECT_THAT(Feed(reader, Frame(small) + Frame(empty) + Frame(small), 1),
              testing::ElementsAre(small, empty, small));
}

// A read is under way while an answer leads to a look for the next frame.
TEST(FrameReader, AFrameMayStartBetweenSpaceAndFilled) {
  FrameReader reader(100 << 20);
  const std::string payload(100'000, 'x');
  const std::string bytes = Frame(payload);
  std::span<char> space = reader.Space();
  std::memcpy(space.data(), bytes.data(), 50);
  reader.Filled(50);
  space = reader.Space();
  EXPECT_FALSE(reader.Next().value());
  std::memcpy(space.data(), bytes.data() + 50, 100);
  reader.Filled(100);
  EXPECT_FALSE(reader.Next().value());
  EXPECT_THAT(Feed(reader, bytes.substr(150), 8192),
              testing::ElementsAre(payload));
}

TEST(FrameReader, HalfAFrameIsNoFrame) {
  FrameReader reader(100);
  EXPECT_THAT(Feed(reader, Frame("abcdef").substr(0, 7), 100),
              testing::IsEmpty());
}

TEST(FrameReader, LengthOutOfBoundsIsRefused) {
  for (const char* length : {"\xff\xff\xff\xff", "\x80\x00\x00\x00",
                             "\x7f\xff\xff\xff", "\x00\x00\x00\x65"}) {
    FrameReader reader(100);
    EXPECT_THAT(Feed(reader, std::string(length, 4), 100),
                testing::ElementsAre(testing::StartsWith("error: ")));
  }
}

TEST(FrameReader, AnAnnouncedLengthAllocatesLittle) {
  FrameReader reader(INT32_MAX);
  EXPECT_THAT(Feed(reader, std::string("\x7f\xff\xff\xff", 4), 4),
              testing::IsEmpty());
  EXPECT_LT(reader.Space().size(), 2u << 20);
}

TEST(FrameReader, NothingIsReceivedBeyondTheStagingBufferUnlessTaken) {
  FrameReader reader(100 << 20);
  size_t taken = 0;
  while (!reader.Space().empty()) {
    const size_t count = reader.Space().size();
    std::memset(reader.Space().data(), 0, count);
    reader.Filled(count);
    taken += count;
    ASSERT_LE(taken, 64u << 10);
  }
}

}  // namespace
}  // namespace tidemark::server
