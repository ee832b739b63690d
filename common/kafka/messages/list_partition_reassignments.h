#pragma once

#include "common/kafka/message.h"

// Partitions that are being moved (KIP-455).
namespace tidemark::kafka {

struct ListPartitionReassignmentsRequest {
  static constexpr ApiKey kKey = ApiKey::kListPartitionReassignments;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct ListPartitionReassignmentsTopics {
    std::string name;
    std::vector<int32_t> partition_indexes;

    bool operator==(const ListPartitionReassignmentsTopics&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_indexes", self.partition_indexes);
    }
  };

  int32_t timeout_ms = 60000;
  std::optional<std::vector<ListPartitionReassignmentsTopics>> topics;

  bool operator==(const ListPartitionReassignmentsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("timeout_ms", self.timeout_ms);
    visit("topics", self.topics);
  }
};

struct ListPartitionReassignmentsResponse {
  static constexpr ApiKey kKey = ApiKey::kListPartitionReassignments;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct OngoingPartitionReassignment {
    int32_t partition_index = 0;
    std::vector<int32_t> replicas;
    std::vector<int32_t> adding_replicas;
    std::vector<int32_t> removing_replicas;

    bool operator==(const OngoingPartitionReassignment&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("replicas", self.replicas);
      visit("adding_replicas", self.adding_replicas);
      visit("removing_replicas", self.removing_replicas);
    }
  };

  struct OngoingTopicReassignment {
    std::string name;
    std::vector<OngoingPartitionReassignment> partitions;

    bool operator==(const OngoingTopicReassignment&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<OngoingTopicReassignment> topics;

  bool operator==(const ListPartitionReassignmentsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
