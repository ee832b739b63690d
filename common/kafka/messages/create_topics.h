#pragma once

#include "common/kafka/message.h"

// Creates topics. A result's `configs` default to empty; null says that the
// caller may not read them.
namespace tidemark::kafka {

struct CreateTopicsRequest {
  static constexpr ApiKey kKey = ApiKey::kCreateTopics;
  static constexpr int16_t kMinVersion = 2;
  static constexpr int16_t kMaxVersion = 7;
  static constexpr int16_t kFirstFlexible = 5;

  struct CreatableReplicaAssignment {
    int32_t partition_index = 0;
    std::vector<int32_t> broker_ids;

    bool operator==(const CreatableReplicaAssignment&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("broker_ids", self.broker_ids);
    }
  };

  struct CreatableTopicConfig {
    std::string name;
    std::optional<std::string> value;

    bool operator==(const CreatableTopicConfig&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("value", self.value);
    }
  };

  struct CreatableTopic {
    std::string name;
    int32_t num_partitions = 0;
    int16_t replication_factor = 0;
    std::vector<CreatableReplicaAssignment> assignments;
    std::vector<CreatableTopicConfig> configs;

    bool operator==(const CreatableTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("num_partitions", self.num_partitions);
      visit("replication_factor", self.replication_factor);
      visit("assignments", self.assignments);
      visit("configs", self.configs);
    }
  };

  std::vector<CreatableTopic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;

  bool operator==(const CreateTopicsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
    visit("timeout_ms", self.timeout_ms);
    visit("validate_only", self.validate_only);
  }
};

struct CreateTopicsResponse {
  static constexpr ApiKey kKey = ApiKey::kCreateTopics;
  static constexpr int16_t kMinVersion = 2;
  static constexpr int16_t kMaxVersion = 7;
  static constexpr int16_t kFirstFlexible = 5;

  struct CreatableTopicConfigs {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    int8_t config_source = -1;
    bool is_sensitive = false;

    bool operator==(const CreatableTopicConfigs&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("value", self.value);
      visit("read_only", self.read_only);
      visit("config_source", self.config_source);
      visit("is_sensitive", self.is_sensitive);
    }
  };

  struct CreatableTopicResult {
    std::string name;
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int16_t topic_config_error_code = 0;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<CreatableTopicConfigs>> configs =
        std::vector<CreatableTopicConfigs>();

    bool operator==(const CreatableTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("topic_id", self.topic_id, Since(7));
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("topic_config_error_code", self.topic_config_error_code,
            Tagged(0, 5));
      visit("num_partitions", self.num_partitions, Since(5));
      visit("replication_factor", self.replication_factor, Since(5));
      visit("configs", self.configs, Since(5));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<CreatableTopicResult> topics;

  bool operator==(const CreateTopicsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
