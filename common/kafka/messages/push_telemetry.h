#pragma once

#include "common/kafka/message.h"

// What a client's metrics are (KIP-714): OTLP MetricsData, compressed.
namespace tidemark::kafka {

struct PushTelemetryRequest {
  static constexpr ApiKey kKey = ApiKey::kPushTelemetry;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  Uuid client_instance_id;
  int32_t subscription_id = 0;
  bool terminating = false;
  int8_t compression_type = 0;
  SharedBytes metrics;

  bool operator==(const PushTelemetryRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("client_instance_id", self.client_instance_id);
    visit("subscription_id", self.subscription_id);
    visit("terminating", self.terminating);
    visit("compression_type", self.compression_type);
    visit("metrics", self.metrics);
  }
};

struct PushTelemetryResponse {
  static constexpr ApiKey kKey = ApiKey::kPushTelemetry;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  bool operator==(const PushTelemetryResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
  }
};

}  // namespace tidemark::kafka
