#pragma once

#include "common/kafka/message.h"

// Appends one batch to each partition. `throttle_time_ms` is last here.
namespace tidemark::kafka {

struct ProduceRequest {
  static constexpr ApiKey kKey = ApiKey::kProduce;
  static constexpr int16_t kMinVersion = 3;
  static constexpr int16_t kMaxVersion = 12;
  static constexpr int16_t kFirstFlexible = 9;

  struct PartitionProduceData {
    int32_t index = 0;
    std::optional<SharedBytes> records;

    bool operator==(const PartitionProduceData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("index", self.index);
      visit("records", self.records);
    }
  };

  struct TopicProduceData {
    std::string name;
    std::vector<PartitionProduceData> partition_data;

    bool operator==(const TopicProduceData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_data", self.partition_data);
    }
  };

  std::optional<std::string> transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  std::vector<TopicProduceData> topic_data;

  bool operator==(const ProduceRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
    visit("acks", self.acks);
    visit("timeout_ms", self.timeout_ms);
    visit("topic_data", self.topic_data);
  }
};

struct ProduceResponse {
  static constexpr ApiKey kKey = ApiKey::kProduce;
  static constexpr int16_t kMinVersion = 3;
  static constexpr int16_t kMaxVersion = 12;
  static constexpr int16_t kFirstFlexible = 9;

  struct BatchIndexAndErrorMessage {
    int32_t batch_index = 0;
    std::optional<std::string> batch_index_error_message;

    bool operator==(const BatchIndexAndErrorMessage&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("batch_index", self.batch_index);
      visit("batch_index_error_message", self.batch_index_error_message);
    }
  };

  struct LeaderIdAndEpoch {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    bool operator==(const LeaderIdAndEpoch&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("leader_id", self.leader_id);
      visit("leader_epoch", self.leader_epoch);
    }
  };

  struct PartitionProduceResponse {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t base_offset = 0;
    int64_t log_append_time_ms = -1;
    int64_t log_start_offset = -1;
    std::vector<BatchIndexAndErrorMessage> record_errors;
    std::optional<std::string> error_message;
    LeaderIdAndEpoch current_leader;

    bool operator==(const PartitionProduceResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("index", self.index);
      visit("error_code", self.error_code);
      visit("base_offset", self.base_offset);
      visit("log_append_time_ms", self.log_append_time_ms);
      visit("log_start_offset", self.log_start_offset, Since(5));
      visit("record_errors", self.record_errors, Since(8));
      visit("error_message", self.error_message, Since(8));
      visit("current_leader", self.current_leader, Tagged(0, 10));
    }
  };

  struct TopicProduceResponse {
    std::string name;
    std::vector<PartitionProduceResponse> partition_responses;

    bool operator==(const TopicProduceResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_responses", self.partition_responses);
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    bool operator==(const NodeEndpoint&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("node_id", self.node_id);
      visit("host", self.host);
      visit("port", self.port);
      visit("rack", self.rack);
    }
  };

  std::vector<TopicProduceResponse> responses;
  int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;

  bool operator==(const ProduceResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("responses", self.responses);
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("node_endpoints", self.node_endpoints, Tagged(0, 10));
  }
};

}  // namespace tidemark::kafka
