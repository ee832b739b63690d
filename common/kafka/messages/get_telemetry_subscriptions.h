#pragma once

#include "common/kafka/message.h"

// Which of its metrics a client is to push, and how often (KIP-714).
namespace tidemark::kafka {

struct GetTelemetrySubscriptionsRequest {
  static constexpr ApiKey kKey = ApiKey::kGetTelemetrySubscriptions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  Uuid client_instance_id;

  bool operator==(const GetTelemetrySubscriptionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("client_instance_id", self.client_instance_id);
  }
};

struct GetTelemetrySubscriptionsResponse {
  static constexpr ApiKey kKey = ApiKey::kGetTelemetrySubscriptions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  Uuid client_instance_id;
  int32_t subscription_id = 0;
  std::vector<int8_t> accepted_compression_types;
  int32_t push_interval_ms = 0;
  int32_t telemetry_max_bytes = 0;
  bool delta_temporality = false;
  std::vector<std::string> requested_metrics;

  bool operator==(const GetTelemetrySubscriptionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("client_instance_id", self.client_instance_id);
    visit("subscription_id", self.subscription_id);
    visit("accepted_compression_types", self.accepted_compression_types);
    visit("push_interval_ms", self.push_interval_ms);
    visit("telemetry_max_bytes", self.telemetry_max_bytes);
    visit("delta_temporality", self.delta_temporality);
    visit("requested_metrics", self.requested_metrics);
  }
};

}  // namespace tidemark::kafka
