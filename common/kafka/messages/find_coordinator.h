#pragma once

#include "common/kafka/message.h"

// Which broker coordinates a group (key type 0) or a transaction (1). Batched
// from version 4 on (KIP-699).
namespace tidemark::kafka {

struct FindCoordinatorRequest {
  static constexpr ApiKey kKey = ApiKey::kFindCoordinator;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  std::string key;
  int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;

  bool operator==(const FindCoordinatorRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("key", self.key, Until(3));
    visit("key_type", self.key_type, Since(1));
    visit("coordinator_keys", self.coordinator_keys, Since(4));
  }
};

struct FindCoordinatorResponse {
  static constexpr ApiKey kKey = ApiKey::kFindCoordinator;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct Coordinator {
    std::string key;
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const Coordinator&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("key", self.key);
      visit("node_id", self.node_id);
      visit("host", self.host);
      visit("port", self.port);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int32_t node_id = 0;
  std::string host;
  int32_t port = 0;
  std::vector<Coordinator> coordinators;

  bool operator==(const FindCoordinatorResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("error_code", self.error_code, Until(3));
    visit("error_message", self.error_message, Since(1).Until(3));
    visit("node_id", self.node_id, Until(3));
    visit("host", self.host, Until(3));
    visit("port", self.port, Until(3));
    visit("coordinators", self.coordinators, Since(4));
  }
};

}  // namespace tidemark::kafka
