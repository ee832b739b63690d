#pragma once

#include "common/kafka/message.h"

// What a broker can do, asked before anything else. An answer to an unknown
// version is written in version 0 with UNSUPPORTED_VERSION (KIP-511).
namespace tidemark::kafka {

struct ApiVersionsRequest {
  static constexpr ApiKey kKey = ApiKey::kApiVersions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 3;

  std::string client_software_name;
  std::string client_software_version;

  bool operator==(const ApiVersionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("client_software_name", self.client_software_name, Since(3));
    visit("client_software_version", self.client_software_version, Since(3));
  }
};

struct ApiVersionsResponse {
  static constexpr ApiKey kKey = ApiKey::kApiVersions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 3;

  struct ApiVersion {
    int16_t api_key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;

    bool operator==(const ApiVersion&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("api_key", self.api_key);
      visit("min_version", self.min_version);
      visit("max_version", self.max_version);
    }
  };

  struct SupportedFeatureKey {
    std::string name;
    int16_t min_version = 0;
    int16_t max_version = 0;

    bool operator==(const SupportedFeatureKey&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("min_version", self.min_version);
      visit("max_version", self.max_version);
    }
  };

  struct FinalizedFeatureKey {
    std::string name;
    int16_t max_version_level = 0;
    int16_t min_version_level = 0;

    bool operator==(const FinalizedFeatureKey&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("max_version_level", self.max_version_level);
      visit("min_version_level", self.min_version_level);
    }
  };

  int16_t error_code = 0;
  std::vector<ApiVersion> api_keys;
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeatureKey> supported_features;
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;

  bool operator==(const ApiVersionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("error_code", self.error_code);
    visit("api_keys", self.api_keys);
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("supported_features", self.supported_features, Tagged(0, 3));
    visit("finalized_features_epoch", self.finalized_features_epoch,
          Tagged(1, 3).Default(-1));
    visit("finalized_features", self.finalized_features, Tagged(2, 3));
    visit("zk_migration_ready", self.zk_migration_ready, Tagged(3, 3));
  }
};

}  // namespace tidemark::kafka
