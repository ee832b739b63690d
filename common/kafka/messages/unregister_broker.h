#pragma once

#include "common/kafka/message.h"

// Removes the registration of a broker that will not come back (KIP-631).
namespace tidemark::kafka {

struct UnregisterBrokerRequest {
  static constexpr ApiKey kKey = ApiKey::kUnregisterBroker;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t broker_id = 0;

  bool operator==(const UnregisterBrokerRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("broker_id", self.broker_id);
  }
};

struct UnregisterBrokerResponse {
  static constexpr ApiKey kKey = ApiKey::kUnregisterBroker;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;

  bool operator==(const UnregisterBrokerResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
  }
};

}  // namespace tidemark::kafka
