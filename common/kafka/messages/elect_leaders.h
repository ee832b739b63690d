#pragma once

#include "common/kafka/message.h"

// Elects preferred leaders (KIP-183), or leaders out of replicas that are not
// in sync (KIP-460).
namespace tidemark::kafka {

struct ElectLeadersRequest {
  static constexpr ApiKey kKey = ApiKey::kElectLeaders;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct TopicPartitions {
    std::string topic;
    std::vector<int32_t> partitions;

    bool operator==(const TopicPartitions&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partitions", self.partitions);
    }
  };

  int8_t election_type = 0;
  std::optional<std::vector<TopicPartitions>> topic_partitions;
  int32_t timeout_ms = 60000;

  bool operator==(const ElectLeadersRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("election_type", self.election_type, Since(1));
    visit("topic_partitions", self.topic_partitions);
    visit("timeout_ms", self.timeout_ms);
  }
};

struct ElectLeadersResponse {
  static constexpr ApiKey kKey = ApiKey::kElectLeaders;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct PartitionResult {
    int32_t partition_id = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const PartitionResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_id", self.partition_id);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  struct ReplicaElectionResult {
    std::string topic;
    std::vector<PartitionResult> partition_result;

    bool operator==(const ReplicaElectionResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partition_result", self.partition_result);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ReplicaElectionResult> replica_election_results;

  bool operator==(const ElectLeadersResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code, Since(1));
    visit("replica_election_results", self.replica_election_results);
  }
};

}  // namespace tidemark::kafka
