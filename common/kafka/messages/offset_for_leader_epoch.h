#pragma once

#include "common/kafka/message.h"

// Where a leader epoch ends, for consumers that check for truncation
// (KIP-320).
namespace tidemark::kafka {

struct OffsetForLeaderEpochRequest {
  static constexpr ApiKey kKey = ApiKey::kOffsetForLeaderEpoch;
  static constexpr int16_t kMinVersion = 2;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  struct OffsetForLeaderPartition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int32_t leader_epoch = 0;

    bool operator==(const OffsetForLeaderPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition", self.partition);
      visit("current_leader_epoch", self.current_leader_epoch);
      visit("leader_epoch", self.leader_epoch);
    }
  };

  struct OffsetForLeaderTopic {
    std::string topic;
    std::vector<OffsetForLeaderPartition> partitions;

    bool operator==(const OffsetForLeaderTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partitions", self.partitions);
    }
  };

  int32_t replica_id = -2;
  std::vector<OffsetForLeaderTopic> topics;

  bool operator==(const OffsetForLeaderEpochRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("replica_id", self.replica_id, Since(3));
    visit("topics", self.topics);
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr ApiKey kKey = ApiKey::kOffsetForLeaderEpoch;
  static constexpr int16_t kMinVersion = 2;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  struct EpochEndOffset {
    int16_t error_code = 0;
    int32_t partition = 0;
    int32_t leader_epoch = -1;
    int64_t end_offset = -1;

    bool operator==(const EpochEndOffset&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("partition", self.partition);
      visit("leader_epoch", self.leader_epoch);
      visit("end_offset", self.end_offset);
    }
  };

  struct OffsetForLeaderTopicResult {
    std::string topic;
    std::vector<EpochEndOffset> partitions;

    bool operator==(const OffsetForLeaderTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<OffsetForLeaderTopicResult> topics;

  bool operator==(const OffsetForLeaderEpochResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
