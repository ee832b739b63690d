#pragma once

#include "common/kafka/message.h"

// Moves partitions to other brokers, or stops moving them (KIP-455). Replicas
// that are null: stop.
namespace tidemark::kafka {

struct AlterPartitionReassignmentsRequest {
  static constexpr ApiKey kKey = ApiKey::kAlterPartitionReassignments;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 0;

  struct ReassignablePartition {
    int32_t partition_index = 0;
    std::optional<std::vector<int32_t>> replicas;

    bool operator==(const ReassignablePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("replicas", self.replicas);
    }
  };

  struct ReassignableTopic {
    std::string name;
    std::vector<ReassignablePartition> partitions;

    bool operator==(const ReassignableTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t timeout_ms = 60000;
  bool allow_replication_factor_change = true;
  std::vector<ReassignableTopic> topics;

  bool operator==(const AlterPartitionReassignmentsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("timeout_ms", self.timeout_ms);
    visit("allow_replication_factor_change",
          self.allow_replication_factor_change, Since(1));
    visit("topics", self.topics);
  }
};

struct AlterPartitionReassignmentsResponse {
  static constexpr ApiKey kKey = ApiKey::kAlterPartitionReassignments;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 0;

  struct ReassignablePartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const ReassignablePartitionResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  struct ReassignableTopicResponse {
    std::string name;
    std::vector<ReassignablePartitionResponse> partitions;

    bool operator==(const ReassignableTopicResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  bool allow_replication_factor_change = true;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<ReassignableTopicResponse> responses;

  bool operator==(const AlterPartitionReassignmentsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("allow_replication_factor_change",
          self.allow_replication_factor_change, Since(1));
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("responses", self.responses);
  }
};

}  // namespace tidemark::kafka
