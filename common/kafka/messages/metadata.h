#pragma once

#include "common/kafka/message.h"

// Brokers, topics and leaders. A null `topics` asks for all of them; in
// version 0 an empty one does.
namespace tidemark::kafka {

struct MetadataRequest {
  static constexpr ApiKey kKey = ApiKey::kMetadata;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 12;
  static constexpr int16_t kFirstFlexible = 9;

  struct MetadataRequestTopic {
    Uuid topic_id;
    std::optional<std::string> name;

    bool operator==(const MetadataRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_id", self.topic_id, Since(10));
      visit("name", self.name, Always().NullableSince(10));
    }
  };

  std::optional<std::vector<MetadataRequestTopic>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  bool operator==(const MetadataRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics, Always().NullableSince(1));
    visit("allow_auto_topic_creation", self.allow_auto_topic_creation,
          Since(4));
    visit("include_cluster_authorized_operations",
          self.include_cluster_authorized_operations, Since(8).Until(10));
    visit("include_topic_authorized_operations",
          self.include_topic_authorized_operations, Since(8));
  }
};

struct MetadataResponse {
  static constexpr ApiKey kKey = ApiKey::kMetadata;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 12;
  static constexpr int16_t kFirstFlexible = 9;

  struct MetadataResponseBroker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    bool operator==(const MetadataResponseBroker&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("node_id", self.node_id);
      visit("host", self.host);
      visit("port", self.port);
      visit("rack", self.rack, Since(1));
    }
  };

  struct MetadataResponsePartition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replica_nodes;
    std::vector<int32_t> isr_nodes;
    std::vector<int32_t> offline_replicas;

    bool operator==(const MetadataResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("partition_index", self.partition_index);
      visit("leader_id", self.leader_id);
      visit("leader_epoch", self.leader_epoch, Since(7));
      visit("replica_nodes", self.replica_nodes);
      visit("isr_nodes", self.isr_nodes);
      visit("offline_replicas", self.offline_replicas, Since(5));
    }
  };

  struct MetadataResponseTopic {
    int16_t error_code = 0;
    std::optional<std::string> name;
    Uuid topic_id;
    bool is_internal = false;
    std::vector<MetadataResponsePartition> partitions;
    int32_t topic_authorized_operations = INT32_MIN;

    bool operator==(const MetadataResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("name", self.name, Always().NullableSince(12));
      visit("topic_id", self.topic_id, Since(10));
      visit("is_internal", self.is_internal, Since(1));
      visit("partitions", self.partitions);
      visit("topic_authorized_operations", self.topic_authorized_operations,
            Since(8));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<MetadataResponseBroker> brokers;
  std::optional<std::string> cluster_id;
  int32_t controller_id = -1;
  std::vector<MetadataResponseTopic> topics;
  int32_t cluster_authorized_operations = INT32_MIN;

  bool operator==(const MetadataResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(3));
    visit("brokers", self.brokers);
    visit("cluster_id", self.cluster_id, Since(2));
    visit("controller_id", self.controller_id, Since(1));
    visit("topics", self.topics);
    visit("cluster_authorized_operations", self.cluster_authorized_operations,
          Since(8).Until(10));
  }
};

}  // namespace tidemark::kafka
