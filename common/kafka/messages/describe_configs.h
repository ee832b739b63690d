#pragma once

#include "common/kafka/message.h"

// Settings of topics, brokers and groups and where they come from.
namespace tidemark::kafka {

struct DescribeConfigsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeConfigs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  struct DescribeConfigsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys;

    bool operator==(const DescribeConfigsResource&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("configuration_keys", self.configuration_keys);
    }
  };

  std::vector<DescribeConfigsResource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  bool operator==(const DescribeConfigsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("resources", self.resources);
    visit("include_synonyms", self.include_synonyms);
    visit("include_documentation", self.include_documentation, Since(3));
  }
};

struct DescribeConfigsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeConfigs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  struct DescribeConfigsSynonym {
    std::string name;
    std::optional<std::string> value;
    int8_t source = 0;

    bool operator==(const DescribeConfigsSynonym&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("value", self.value);
      visit("source", self.source);
    }
  };

  struct DescribeConfigsResourceResult {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<DescribeConfigsSynonym> synonyms;
    int8_t config_type = 0;
    std::optional<std::string> documentation;

    bool operator==(const DescribeConfigsResourceResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("value", self.value);
      visit("read_only", self.read_only);
      visit("config_source", self.config_source);
      visit("is_sensitive", self.is_sensitive);
      visit("synonyms", self.synonyms);
      visit("config_type", self.config_type, Since(3));
      visit("documentation", self.documentation, Since(3));
    }
  };

  struct DescribeConfigsResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<DescribeConfigsResourceResult> configs;

    bool operator==(const DescribeConfigsResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("configs", self.configs);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribeConfigsResult> results;

  bool operator==(const DescribeConfigsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
