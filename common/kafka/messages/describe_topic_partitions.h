#pragma once

#include "common/kafka/message.h"

// Partitions of topics in pages (KIP-966).
namespace tidemark::kafka {

struct DescribeTopicPartitionsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeTopicPartitions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct TopicRequest {
    std::string name;

    bool operator==(const TopicRequest&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
    }
  };

  struct Cursor {
    std::string topic_name;
    int32_t partition_index = 0;

    bool operator==(const Cursor&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_name", self.topic_name);
      visit("partition_index", self.partition_index);
    }
  };

  std::vector<TopicRequest> topics;
  int32_t response_partition_limit = 2000;
  std::optional<Cursor> cursor;

  bool operator==(const DescribeTopicPartitionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
    visit("response_partition_limit", self.response_partition_limit);
    visit("cursor", self.cursor);
  }
};

struct DescribeTopicPartitionsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeTopicPartitions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct DescribeTopicPartitionsResponsePartition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replica_nodes;
    std::vector<int32_t> isr_nodes;
    std::optional<std::vector<int32_t>> eligible_leader_replicas;
    std::optional<std::vector<int32_t>> last_known_elr;
    std::vector<int32_t> offline_replicas;

    bool operator==(const DescribeTopicPartitionsResponsePartition&) const =
        default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("partition_index", self.partition_index);
      visit("leader_id", self.leader_id);
      visit("leader_epoch", self.leader_epoch);
      visit("replica_nodes", self.replica_nodes);
      visit("isr_nodes", self.isr_nodes);
      visit("eligible_leader_replicas", self.eligible_leader_replicas);
      visit("last_known_elr", self.last_known_elr);
      visit("offline_replicas", self.offline_replicas);
    }
  };

  struct DescribeTopicPartitionsResponseTopic {
    int16_t error_code = 0;
    std::optional<std::string> name;
    Uuid topic_id;
    bool is_internal = false;
    std::vector<DescribeTopicPartitionsResponsePartition> partitions;
    int32_t topic_authorized_operations = INT32_MIN;

    bool operator==(const DescribeTopicPartitionsResponseTopic&) const =
        default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("name", self.name);
      visit("topic_id", self.topic_id);
      visit("is_internal", self.is_internal);
      visit("partitions", self.partitions);
      visit("topic_authorized_operations", self.topic_authorized_operations);
    }
  };

  struct Cursor {
    std::string topic_name;
    int32_t partition_index = 0;

    bool operator==(const Cursor&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_name", self.topic_name);
      visit("partition_index", self.partition_index);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribeTopicPartitionsResponseTopic> topics;
  std::optional<Cursor> next_cursor;

  bool operator==(const DescribeTopicPartitionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
    visit("next_cursor", self.next_cursor);
  }
};

}  // namespace tidemark::kafka
