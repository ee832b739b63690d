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

std::shared_ptr<MemoryBudget> Plenty() {
  return MemoryBudget::Make(size_t{1} << 40);
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
    FrameReader reader(100 << 20, Plenty());
    EXPECT_THAT(
        Feed(reader, Frame(small) + Frame(empty) + Frame(large) + Frame(small),
             step),
        testing::ElementsAre(small, empty, large, small))
        << step;
  }
  FrameReader reader(100, Plenty());
  EXPECT_THAT(Feed(reader, Frame(small) + Frame(empty) + Frame(small), 1),
              testing::ElementsAre(small, empty, small));
}

// A read is under way while an answer leads to a look for the next frame.
TEST(FrameReader, AFrameMayStartBetweenSpaceAndFilled) {
  FrameReader reader(100 << 20, Plenty());
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
  FrameReader reader(100, Plenty());
  EXPECT_THAT(Feed(reader, Frame("abcdef").substr(0, 7), 100),
              testing::IsEmpty());
}

TEST(FrameReader, LengthOutOfBoundsIsRefused) {
  for (const char* length : {"\xff\xff\xff\xff", "\x80\x00\x00\x00",
                             "\x7f\xff\xff\xff", "\x00\x00\x00\x65"}) {
    FrameReader reader(100, Plenty());
    EXPECT_THAT(Feed(reader, std::string(length, 4), 100),
                testing::ElementsAre(testing::StartsWith("error: ")));
  }
}

TEST(FrameReader, AnAnnouncedLengthAllocatesLittle) {
  FrameReader reader(INT32_MAX, Plenty());
  EXPECT_THAT(Feed(reader, std::string("\x7f\xff\xff\xff", 4), 4),
              testing::IsEmpty());
  EXPECT_LT(reader.Space().size(), 2u << 20);
}

class Tasks final : public Executor {
 public:
  void Post(Task task) override { tasks.push_back(std::move(task)); }
  void PostAfter(Duration, Task) override {}
  Instant Now() const override { return {}; }
  int64_t WallMs() const override { return 0; }
  std::vector<Task> tasks;
};

// D7: memory is taken as bytes come, and is held as long as the frame is.
TEST(FrameReader, MemoryIsTakenAsBytesCome) {
  auto budget = MemoryBudget::Make(1 << 20);
  FrameReader claims(100 << 20, budget);
  EXPECT_THAT(Feed(claims, std::string("\x06\0\0\0\0\0", 6), 6),
              testing::IsEmpty());
  EXPECT_LE(claims.Space().size(), 64u << 10);
  EXPECT_LE(budget->used(), 80u << 10);

  std::optional<FrameReader> reader(std::in_place, 100 << 20, budget);
  const std::string bytes = Frame(std::string(300'000, 'x'));
  EXPECT_THAT(Feed(*reader, bytes, 8192), testing::SizeIs(1));
  EXPECT_LE(budget->used(), 80u << 10);  // the frame is gone again
  EXPECT_GE(budget->peak(), 300'000u);
  Feed(*reader, bytes.substr(0, 200'000), 8192);
  EXPECT_GE(budget->used(), 200'000u);
  reader.reset();
  EXPECT_LE(budget->used(), 80u << 10);
}

TEST(FrameReader, WithoutMemoryItWaitsAndGoesOnWhereItWas) {
  auto budget = MemoryBudget::Make(256 << 10);
  auto others = budget->NewLease();
  others.Charge(256 << 10);
  auto overdrawer = budget->NewLease();
  Tasks executor;
  overdrawer.TakeLater(1, executor, [] {});
  FrameReader reader(1 << 20, budget);
  const std::string payload(200'000, 'x');
  const std::string bytes = Frame(payload);
  std::string_view left = bytes;
  while (true) {
    std::span<char> space = reader.Space();
    if (space.empty()) break;
    const size_t count = std::min(space.size(), left.size());
    std::memcpy(space.data(), left.data(), count);
    left.remove_prefix(count);
    reader.Filled(count);
    ASSERT_FALSE(reader.Next().value());
  }
  EXPECT_TRUE(reader.NeedsMemory());
  EXPECT_TRUE(reader.Space().empty());
  bool told = false;
  reader.WhenFree(executor, [&] { told = true; });
  EXPECT_TRUE(reader.Space().empty());
  others.Release();
  for (auto& task : executor.tasks) task();
  EXPECT_TRUE(told);
  EXPECT_THAT(Feed(reader, left, 8192), testing::ElementsAre(payload));
}

// Acknowledgements hang on them: clients must not be able to hold them up.
TEST(FrameReader, SmallFramesAndFetchesDoNotWait) {
  auto budget = MemoryBudget::Make(1);
  auto others = budget->NewLease();
  others.Charge(1 << 20);
  for (const auto& [payload, waits] :
       {std::pair(std::string(FrameReader::kNeverWaits, '\0'), false),
        std::pair(std::string(FrameReader::kNeverWaits + 1, '\0'), true),
        std::pair(std::string("\0\1", 2) +
                      std::string(FrameReader::kFetchNeverWaits - 2, 'f'),
                  false)}) {
    FrameReader reader(1 << 20, budget);
    std::string bytes = Frame(payload);
    std::string_view left = bytes;
    bool whole = false;
    while (!whole) {
      std::span<char> space = reader.Space();
      if (space.empty()) break;
      const size_t count = std::min(space.size(), left.size());
      std::memcpy(space.data(), left.data(), count);
      left.remove_prefix(count);
      reader.Filled(count);
      whole = reader.Next().value().has_value();
    }
    EXPECT_EQ(whole, !waits) << payload.size();
    EXPECT_EQ(reader.NeedsMemory(), waits);
  }
}

TEST(FrameReader, NothingIsReceivedBeyondTheStagingBufferUnlessTaken) {
  FrameReader reader(100 << 20, Plenty());
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
