#pragma once

#include "common/kafka/message.h"

// The mechanism by which a client will say who it is. After version 0 what it
// says are frames without a header (KIP-43), after version 1 SaslAuthenticate.
namespace tidemark::kafka {

struct SaslHandshakeRequest {
  static constexpr ApiKey kKey = ApiKey::kSaslHandshake;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  std::string mechanism;

  bool operator==(const SaslHandshakeRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("mechanism", self.mechanism);
  }
};

struct SaslHandshakeResponse {
  static constexpr ApiKey kKey = ApiKey::kSaslHandshake;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  int16_t error_code = 0;
  std::vector<std::string> mechanisms;

  bool operator==(const SaslHandshakeResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("error_code", self.error_code);
    visit("mechanisms", self.mechanisms);
  }
};

}  // namespace tidemark::kafka
