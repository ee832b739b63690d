#pragma once

#include "common/kafka/message.h"

// Names of the resources that have settings (KIP-1142). Version 0 is Kafka's
// ListClientMetricsResources.
namespace tidemark::kafka {

struct ListConfigResourcesRequest {
  static constexpr ApiKey kKey = ApiKey::kListConfigResources;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 0;

  std::vector<int8_t> resource_types;

  bool operator==(const ListConfigResourcesRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("resource_types", self.resource_types, Since(1));
  }
};

struct ListConfigResourcesResponse {
  static constexpr ApiKey kKey = ApiKey::kListConfigResources;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 0;

  struct ConfigResource {
    std::string resource_name;
    int8_t resource_type = 16;

    bool operator==(const ConfigResource&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_name", self.resource_name);
      visit("resource_type", self.resource_type, Since(1));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ConfigResource> config_resources;

  bool operator==(const ListConfigResourcesResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("config_resources", self.config_resources);
  }
};

}  // namespace tidemark::kafka
