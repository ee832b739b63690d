#include "controller/quorum/outbox.h"

#include <gtest/gtest.h>

#include "controller/raft/message.h"

namespace tidemark::quorum {
namespace {

using raft::MessageType;

constexpr Outbox::Limits kLimits{.messages = 4, .bytes = 1000};

// `index` tells one from the other.
raft::v1::Envelope Make(MessageType type, uint64_t index, size_t bytes = 0) {
  raft::v1::Envelope envelope;
  auto* message = envelope.mutable_message();
  message->set_type(static_cast<uint32_t>(type));
  message->set_index(index);
  if (bytes > 0) message->add_entries()->set_data(std::string(bytes, 'x'));
  return envelope;
}

std::vector<uint64_t> PopAll(Outbox* outbox) {
  std::vector<uint64_t> out;
  while (auto next = outbox->Pop()) out.push_back(next->message().index());
  return out;
}

using Indexes = std::vector<uint64_t>;

TEST(Outbox, AHeartbeatOvertakesAppendsAndNothingElse) {
  Outbox outbox;
  outbox.Push(Make(MessageType::kAppend, 1), kLimits, false);
  outbox.Push(Make(MessageType::kSnapshot, 2), kLimits, false);
  outbox.Push(Make(MessageType::kAppend, 3), kLimits, false);
  outbox.Push(Make(MessageType::kHeartbeat, 4), kLimits, false);
  outbox.Push(Make(MessageType::kTimeoutNow, 5), kLimits, false);
  EXPECT_EQ(PopAll(&outbox), (Indexes{1, 2, 4, 3, 5}));
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, ANewHeartbeatTakesThePlaceOfOneThatWaits) {
  Outbox outbox;
  outbox.Push(Make(MessageType::kAppend, 1), kLimits, false);
  outbox.Push(Make(MessageType::kHeartbeat, 2), kLimits, false);
  outbox.Push(Make(MessageType::kHeartbeat, 3), kLimits, false);
  EXPECT_EQ(PopAll(&outbox), (Indexes{3, 1}));
}

TEST(Outbox, AFullOneDropsAppendsButNoHeartbeat) {
  Outbox outbox;
  for (uint64_t i = 1; i <= 6; ++i)
    outbox.Push(Make(MessageType::kAppend, i), kLimits, false);
  outbox.Push(Make(MessageType::kHeartbeat, 7), kLimits, false);
  EXPECT_EQ(outbox.dropped(), 2u);
  EXPECT_EQ(PopAll(&outbox), (Indexes{7, 1, 2, 3, 4}));
  outbox.Push(Make(MessageType::kAppend, 8, 2000), kLimits, false);
  outbox.Push(Make(MessageType::kAppend, 9), kLimits, false);
  outbox.Push(Make(MessageType::kHeartbeat, 10), kLimits, false);
  EXPECT_EQ(PopAll(&outbox), (Indexes{10, 8}));
}

TEST(Outbox, WithoutAConnectionTheNewestStay) {
  Outbox outbox;
  outbox.Push(Make(MessageType::kHeartbeat, 1), kLimits, true);
  for (uint64_t i = 2; i <= 7; ++i)
    outbox.Push(Make(MessageType::kVote, i), kLimits, true);
  EXPECT_EQ(PopAll(&outbox), (Indexes{1, 4, 5, 6, 7}));
  EXPECT_EQ(outbox.dropped(), 2u);
}

}  // namespace
}  // namespace tidemark::quorum
