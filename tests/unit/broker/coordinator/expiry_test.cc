#include <gtest/gtest.h>

#include "broker/coordinator/group/offsets.h"

namespace tidemark::coordinator {
namespace {

// ConsumerProtocolSubscription, version 0, of these topics; no user data.
std::string Subscription(const std::vector<std::string>& topics) {
  std::string out("\0\0\0\0\0", 5);
  out += static_cast<char>(topics.size());
  for (const std::string& topic : topics) {
    out += '\0';
    out += static_cast<char>(topic.size());
    out += topic;
  }
  return out + std::string("\xff\xff\xff\xff", 4);
}

class ExpiryTest : public testing::Test {
 protected:
  ExpiryTest() {
    config.offsets_retention_ms = 1000;
    group.state = GroupState::kStable;
    group.protocol_type = "consumer";
    group.protocol = "range";
    for (const char* topic : {"a", "b", "c"}) {
      group.offsets[{topic, 0}] = {.offset = 5, .commit_timestamp_ms = 100};
    }
  }
  void Join(const std::string& id, const std::string& metadata) {
    group.members[id].id = id;
    group.members[id].protocols = {{"range", metadata}};
  }
  // The topics of which offsets expire.
  std::string Expired(int64_t now_ms) {
    std::string out;
    for (const GroupRecord& record : ExpiredRecords(group, config, now_ms)) {
      const auto* offset = std::get_if<OffsetRecord>(&record);
      out += offset == nullptr ? "GROUP" : offset->partition.topic;
    }
    return out;
  }

  GroupConfig config;
  Group group{"g"};
};

// KIP-211.
TEST_F(ExpiryTest, WhatNobodySubscribesToExpiresInAGroupThatLives) {
  Join("one", Subscription({"a"}));
  Join("two", Subscription({"x", "b"}));
  EXPECT_EQ(Expired(1099), "") << "not old enough";
  EXPECT_EQ(Expired(1100), "c");
  group.pending_offsets[{"c", 0}] = 1;
  EXPECT_EQ(Expired(1100), "") << "being committed right now";
}

TEST_F(ExpiryTest, NothingExpiresWhileSomebodysSubscriptionIsNotKnown) {
  Join("one", Subscription({"a"}));
  for (const std::string& garbage :
       {std::string("m"), std::string("\0\0\x7f\xff\xff\xff", 6),
        std::string("\0\0\0\0\0\1\0\5ab", 10)}) {
    Join("two", garbage);
    EXPECT_EQ(Expired(5000), "");
  }
  Join("two", Subscription({}));
  EXPECT_EQ(Expired(5000), "bc");
  group.protocol_type = "connect";
  EXPECT_EQ(Expired(5000), "");
  group.protocol_type = "consumer";
  group.state = GroupState::kPreparingRebalance;
  EXPECT_EQ(Expired(5000), "");
}

// KIP-496.
TEST_F(ExpiryTest, OffsetsOfTopicsThatNobodyWantsCanBeDeleted) {
  Join("one", Subscription({"a"}));
  Step step{config, {}, {}};
  DeleteOffsets(group,
                {.group_id = "g", .partitions = {{"a", 0}, {"b", 0}, {"z", 0}}},
                1, step);
  ASSERT_EQ(step.out.records.size(), 1u);
  EXPECT_EQ(std::get<OffsetRecord>(step.out.records[0]),
            (OffsetRecord{"g", {"b", 0}, std::nullopt}));
  const auto& answer =
      std::get<DeleteOffsetsResult>(step.out.answers.at(0).response);
  EXPECT_EQ(answer.error, ErrorCode::kNone);
  EXPECT_EQ(answer.partitions,
            (std::vector{ErrorCode::kGroupSubscribedToTopic, ErrorCode::kNone,
                         ErrorCode::kNone}));
}

}  // namespace
}  // namespace tidemark::coordinator
