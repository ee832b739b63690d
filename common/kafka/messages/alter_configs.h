#pragma once

#include "common/kafka/message.h"

// Replaces all settings of resources at once. Deprecated: who asks so loses
// what it does not name; IncrementalAlterConfigs (KIP-339) does not.
namespace tidemark::kafka {

struct AlterConfigsRequest {
  static constexpr ApiKey kKey = ApiKey::kAlterConfigs;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct AlterableConfig {
    std::string name;
    std::optional<std::string> value;

    bool operator==(const AlterableConfig&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("value", self.value);
    }
  };

  struct AlterConfigsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<AlterableConfig> configs;

    bool operator==(const AlterConfigsResource&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("configs", self.configs);
    }
  };

  std::vector<AlterConfigsResource> resources;
  bool validate_only = false;

  bool operator==(const AlterConfigsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("resources", self.resources);
    visit("validate_only", self.validate_only);
  }
};

struct AlterConfigsResponse {
  static constexpr ApiKey kKey = ApiKey::kAlterConfigs;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct AlterConfigsResourceResponse {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t resource_type = 0;
    std::string resource_name;

    bool operator==(const AlterConfigsResourceResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterConfigsResourceResponse> responses;

  bool operator==(const AlterConfigsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("responses", self.responses);
  }
};

}  // namespace tidemark::kafka
