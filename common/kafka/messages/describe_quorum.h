#pragma once

#include "common/kafka/message.h"

// The controllers' quorum, as the log of `__cluster_metadata` (KIP-595).
namespace tidemark::kafka {

struct DescribeQuorumRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeQuorum;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct PartitionData {
    int32_t partition_index = 0;

    bool operator==(const PartitionData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
    }
  };

  struct TopicData {
    std::string topic_name;
    std::vector<PartitionData> partitions;

    bool operator==(const TopicData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_name", self.topic_name);
      visit("partitions", self.partitions);
    }
  };

  std::vector<TopicData> topics;

  bool operator==(const DescribeQuorumRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
  }
};

struct DescribeQuorumResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeQuorum;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct ReplicaState {
    int32_t replica_id = 0;
    Uuid replica_directory_id;
    int64_t log_end_offset = 0;
    int64_t last_fetch_timestamp = -1;
    int64_t last_caught_up_timestamp = -1;

    bool operator==(const ReplicaState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("replica_id", self.replica_id);
      visit("replica_directory_id", self.replica_directory_id, Since(2));
      visit("log_end_offset", self.log_end_offset);
      visit("last_fetch_timestamp", self.last_fetch_timestamp, Since(1));
      visit("last_caught_up_timestamp", self.last_caught_up_timestamp,
            Since(1));
    }
  };

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int32_t leader_id = 0;
    int32_t leader_epoch = 0;
    int64_t high_watermark = 0;
    std::vector<ReplicaState> current_voters;
    std::vector<ReplicaState> observers;

    bool operator==(const PartitionData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message, Since(2));
      visit("leader_id", self.leader_id);
      visit("leader_epoch", self.leader_epoch);
      visit("high_watermark", self.high_watermark);
      visit("current_voters", self.current_voters);
      visit("observers", self.observers);
    }
  };

  struct TopicData {
    std::string topic_name;
    std::vector<PartitionData> partitions;

    bool operator==(const TopicData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_name", self.topic_name);
      visit("partitions", self.partitions);
    }
  };

  struct Listener {
    std::string name;
    std::string host;
    int16_t port = 0;  // unsigned

    bool operator==(const Listener&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("host", self.host);
      visit("port", self.port);
    }
  };

  struct Node {
    int32_t node_id = 0;
    std::vector<Listener> listeners;

    bool operator==(const Node&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("node_id", self.node_id);
      visit("listeners", self.listeners);
    }
  };

  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<TopicData> topics;
  std::vector<Node> nodes;

  bool operator==(const DescribeQuorumResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("error_code", self.error_code);
    visit("error_message", self.error_message, Since(2));
    visit("topics", self.topics);
    visit("nodes", self.nodes, Since(2));
  }
};

}  // namespace tidemark::kafka
