#pragma once

#include "common/kafka/message.h"

// Forgets offsets of a group (KIP-496).
namespace tidemark::kafka {

struct OffsetDeleteRequest {
  static constexpr ApiKey kKey = ApiKey::kOffsetDelete;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  struct OffsetDeleteRequestPartition {
    int32_t partition_index = 0;

    bool operator==(const OffsetDeleteRequestPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
    }
  };

  struct OffsetDeleteRequestTopic {
    std::string name;
    std::vector<OffsetDeleteRequestPartition> partitions;

    bool operator==(const OffsetDeleteRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  std::string group_id;
  std::vector<OffsetDeleteRequestTopic> topics;

  bool operator==(const OffsetDeleteRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("topics", self.topics);
  }
};

struct OffsetDeleteResponse {
  static constexpr ApiKey kKey = ApiKey::kOffsetDelete;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  struct OffsetDeleteResponsePartition {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    bool operator==(const OffsetDeleteResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
    }
  };

  struct OffsetDeleteResponseTopic {
    std::string name;
    std::vector<OffsetDeleteResponsePartition> partitions;

    bool operator==(const OffsetDeleteResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int16_t error_code = 0;
  int32_t throttle_time_ms = 0;
  std::vector<OffsetDeleteResponseTopic> topics;

  bool operator==(const OffsetDeleteResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("error_code", self.error_code);
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
