#pragma once

#include "common/kafka/message.h"

// One step of an authentication (KIP-152), and how long its outcome holds
// (KIP-368).
namespace tidemark::kafka {

struct SaslAuthenticateRequest {
  static constexpr ApiKey kKey = ApiKey::kSaslAuthenticate;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  SharedBytes auth_bytes;

  bool operator==(const SaslAuthenticateRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("auth_bytes", self.auth_bytes);
  }
};

struct SaslAuthenticateResponse {
  static constexpr ApiKey kKey = ApiKey::kSaslAuthenticate;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  int16_t error_code = 0;
  std::optional<std::string> error_message;
  SharedBytes auth_bytes;
  int64_t session_lifetime_ms = 0;

  bool operator==(const SaslAuthenticateResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("auth_bytes", self.auth_bytes);
    visit("session_lifetime_ms", self.session_lifetime_ms, Since(1));
  }
};

}  // namespace tidemark::kafka
