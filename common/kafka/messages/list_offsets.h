#pragma once

#include "common/kafka/message.h"

// Looks offsets up by time stamp; -1 latest, -2 earliest, -3 the largest time
// stamp, -4 the earliest that is local, -5 the latest in tiered storage.
namespace tidemark::kafka {

struct ListOffsetsRequest {
  static constexpr ApiKey kKey = ApiKey::kListOffsets;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 10;
  static constexpr int16_t kFirstFlexible = 6;

  struct ListOffsetsPartition {
    int32_t partition_index = 0;
    int32_t current_leader_epoch = -1;
    int64_t timestamp = 0;

    bool operator==(const ListOffsetsPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("current_leader_epoch", self.current_leader_epoch, Since(4));
      visit("timestamp", self.timestamp);
    }
  };

  struct ListOffsetsTopic {
    std::string name;
    std::vector<ListOffsetsPartition> partitions;

    bool operator==(const ListOffsetsTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t replica_id = 0;
  int8_t isolation_level = 0;
  std::vector<ListOffsetsTopic> topics;
  int32_t timeout_ms = 0;

  bool operator==(const ListOffsetsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("replica_id", self.replica_id);
    visit("isolation_level", self.isolation_level, Since(2));
    visit("topics", self.topics);
    visit("timeout_ms", self.timeout_ms, Since(10));
  }
};

struct ListOffsetsResponse {
  static constexpr ApiKey kKey = ApiKey::kListOffsets;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 10;
  static constexpr int16_t kFirstFlexible = 6;

  struct ListOffsetsPartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t timestamp = -1;
    int64_t offset = -1;
    int32_t leader_epoch = -1;

    bool operator==(const ListOffsetsPartitionResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
      visit("timestamp", self.timestamp);
      visit("offset", self.offset);
      visit("leader_epoch", self.leader_epoch, Since(4));
    }
  };

  struct ListOffsetsTopicResponse {
    std::string name;
    std::vector<ListOffsetsPartitionResponse> partitions;

    bool operator==(const ListOffsetsTopicResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<ListOffsetsTopicResponse> topics;

  bool operator==(const ListOffsetsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(2));
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
