#include "broker/kafka/frame_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace tidemark::server {
namespace {

// Bytes of which only a part is in memory; reading a cold one makes it warm.
class FakeSource final : public ByteSource {
 public:
  FakeSource(std::string bytes, size_t warm, size_t fails_at = SIZE_MAX)
      : bytes_(std::move(bytes)), warm_(warm), fails_at_(fails_at) {}
  size_t size() const override { return bytes_.size(); }
  size_t left() const override { return bytes_.size() - done_; }
  Result<std::optional<size_t>> Read(char* to, size_t count,
                                     bool may_wait) override {
    if (done_ >= fails_at_) return Fail(ErrorCode::kCorruptMessage, "bad");
    size_t most = std::min(count, left());
    if (!may_wait) {
      if (done_ >= warm_) return std::nullopt;
      most = std::min(most, warm_ - done_);
    } else {
      waits_++;
    }
    std::memcpy(to, bytes_.data() + done_, most);
    done_ += most;
    return most;
  }
  int waits() const { return waits_; }

 private:
  const std::string bytes_;
  const size_t warm_, fails_at_;
  size_t done_ = 0;
  int waits_ = 0;
};

std::string Text(size_t size, char from) {
  std::string text(size, ' ');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(from + i % 61);
  return text;
}

// What arrives at the other end of a socket that takes `random` much at once.
Result<std::string> Drain(FrameWriter& writer, std::mt19937& random) {
  std::string out;
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto next, writer.Prepare());
    if (next == FrameWriter::Next::kNothing) return out;
    if (next == FrameWriter::Next::kRead) {
      TM_RETURN_IF_ERROR(writer.ReadFromDisk());
      continue;
    }
    size_t count = 0;
    for (const auto& buffer : writer.buffers()) count += buffer.size();
    EXPECT_GT(count, 0u);
    count = 1 + random() % count;
    size_t left = count;
    for (const auto& buffer : writer.buffers()) {
      const size_t part = std::min(left, buffer.size());
      out.append(static_cast<const char*>(buffer.data()), part);
      left -= part;
    }
    writer.Sent(count);
  }
}

TEST(FrameWriterTest, EverythingIsWrittenInOrder) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    FrameWriter writer;
    std::string expected;
    for (int f = 0; f < 3; ++f) {
      kafka::EncodedFrame frame;
      for (int c = 0; c < 1 + static_cast<int>(random() % 6); ++c) {
        const size_t size = random() % (random() % 3 == 0 ? 900'000 : 3000);
        std::string text = Text(size, static_cast<char>('A' + c));
        expected += text;
        frame.size += size;
        if (random() % 2 == 0 && size > 0) {
          frame.chunks.emplace_back(std::make_shared<FakeSource>(
              std::move(text), random() % (size + 1)));
        } else {
          frame.chunks.emplace_back(SharedBytes(std::move(text)));
        }
      }
      writer.Add(std::move(frame));
    }
    const auto out = Drain(writer, random);
    ASSERT_TRUE(out);
    EXPECT_TRUE(*out == expected) << "round " << round;
  }
}

TEST(FrameWriterTest, AThreadThatMayNotWaitDoesNot) {
  auto source = std::make_shared<FakeSource>(Text(1000, 'a'), 0);
  kafka::EncodedFrame frame;
  frame.chunks.emplace_back(SharedBytes(std::string("head")));
  frame.chunks.emplace_back(source);
  EXPECT_EQ(FrameWriter::MemoryOf(frame), 4 + FrameWriter::kPiece);
  FrameWriter writer;
  writer.Add(std::move(frame));
  EXPECT_EQ(writer.Prepare().value(), FrameWriter::Next::kWrite);
  writer.Sent(4);
  EXPECT_EQ(writer.Prepare().value(), FrameWriter::Next::kRead);
  EXPECT_EQ(source->waits(), 0);
  ASSERT_TRUE(writer.ReadFromDisk());
  EXPECT_EQ(writer.Prepare().value(), FrameWriter::Next::kWrite);
  writer.Sent(1000);
  EXPECT_EQ(writer.Prepare().value(), FrameWriter::Next::kNothing);
}

TEST(FrameWriterTest, WhatCannotBeReadIsAnError) {
  std::mt19937 random(1);
  for (const bool cold : {false, true}) {
    kafka::EncodedFrame frame;
    frame.chunks.emplace_back(std::make_shared<FakeSource>(
        Text(600'000, 'a'), cold ? 0 : 600'000, 300'000));
    FrameWriter writer;
    writer.Add(std::move(frame));
    EXPECT_FALSE(Drain(writer, random));
  }
}

}  // namespace
}  // namespace tidemark::server
