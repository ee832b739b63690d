#pragma once

#include "common/kafka/message.h"

// Deletes topics, by name or from version 6 on by id.
namespace tidemark::kafka {

struct DeleteTopicsRequest {
  static constexpr ApiKey kKey = ApiKey::kDeleteTopics;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 6;
  static constexpr int16_t kFirstFlexible = 4;

  struct DeleteTopicState {
    std::optional<std::string> name;
    Uuid topic_id;

    bool operator==(const DeleteTopicState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("topic_id", self.topic_id);
    }
  };

  std::vector<DeleteTopicState> topics;
  std::vector<std::string> topic_names;
  int32_t timeout_ms = 0;

  bool operator==(const DeleteTopicsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics, Since(6));
    visit("topic_names", self.topic_names, Until(5));
    visit("timeout_ms", self.timeout_ms);
  }
};

struct DeleteTopicsResponse {
  static constexpr ApiKey kKey = ApiKey::kDeleteTopics;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 6;
  static constexpr int16_t kFirstFlexible = 4;

  struct DeletableTopicResult {
    std::optional<std::string> name;
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const DeletableTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name, Always().NullableSince(6));
      visit("topic_id", self.topic_id, Since(6));
      visit("error_code", self.error_code);
      visit("error_message", self.error_message, Since(5));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeletableTopicResult> responses;

  bool operator==(const DeleteTopicsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("responses", self.responses);
  }
};

}  // namespace tidemark::kafka
