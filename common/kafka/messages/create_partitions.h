#pragma once

#include "common/kafka/message.h"

// Adds partitions to topics. `count` is the new total.
namespace tidemark::kafka {

struct CreatePartitionsRequest {
  static constexpr ApiKey kKey = ApiKey::kCreatePartitions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct CreatePartitionsAssignment {
    std::vector<int32_t> broker_ids;

    bool operator==(const CreatePartitionsAssignment&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("broker_ids", self.broker_ids);
    }
  };

  struct CreatePartitionsTopic {
    std::string name;
    int32_t count = 0;
    std::optional<std::vector<CreatePartitionsAssignment>> assignments;

    bool operator==(const CreatePartitionsTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("count", self.count);
      visit("assignments", self.assignments);
    }
  };

  std::vector<CreatePartitionsTopic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;

  bool operator==(const CreatePartitionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
    visit("timeout_ms", self.timeout_ms);
    visit("validate_only", self.validate_only);
  }
};

struct CreatePartitionsResponse {
  static constexpr ApiKey kKey = ApiKey::kCreatePartitions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct CreatePartitionsTopicResult {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const CreatePartitionsTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<CreatePartitionsTopicResult> results;

  bool operator==(const CreatePartitionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
