#pragma once

#include "common/kafka/message.h"

// Sets the levels of the cluster's features (KIP-584, KIP-778).
namespace tidemark::kafka {

struct UpdateFeaturesRequest {
  static constexpr ApiKey kKey = ApiKey::kUpdateFeatures;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct FeatureUpdateKey {
    std::string feature;
    int16_t max_version_level = 0;
    bool allow_downgrade = false;
    int8_t upgrade_type = 1;  // 1 up, 2 safely down, 3 down

    bool operator==(const FeatureUpdateKey&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("feature", self.feature);
      visit("max_version_level", self.max_version_level);
      visit("allow_downgrade", self.allow_downgrade, Until(0));
      visit("upgrade_type", self.upgrade_type, Since(1));
    }
  };

  int32_t timeout_ms = 60'000;
  std::vector<FeatureUpdateKey> feature_updates;
  bool validate_only = false;

  bool operator==(const UpdateFeaturesRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("timeout_ms", self.timeout_ms);
    visit("feature_updates", self.feature_updates);
    visit("validate_only", self.validate_only, Since(1));
  }
};

struct UpdateFeaturesResponse {
  static constexpr ApiKey kKey = ApiKey::kUpdateFeatures;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct UpdatableFeatureResult {
    std::string feature;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const UpdatableFeatureResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("feature", self.feature);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<UpdatableFeatureResult> results;

  bool operator==(const UpdateFeaturesResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("results", self.results, Until(1));
  }
};

}  // namespace tidemark::kafka
