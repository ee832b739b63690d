#pragma once

#include "common/kafka/message.h"

// Makes a controller vote (KIP-853).
namespace tidemark::kafka {

struct AddRaftVoterRequest {
  static constexpr ApiKey kKey = ApiKey::kAddRaftVoter;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct Listener {
    std::string name;
    std::string host;
    int16_t port = 0;  // unsigned

    bool operator==(const Listener&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("host", self.host);
      visit("port", self.port);
    }
  };

  std::optional<std::string> cluster_id;
  int32_t timeout_ms = 0;
  int32_t voter_id = 0;
  Uuid voter_directory_id;
  std::vector<Listener> listeners;

  bool operator==(const AddRaftVoterRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("cluster_id", self.cluster_id);
    visit("timeout_ms", self.timeout_ms);
    visit("voter_id", self.voter_id);
    visit("voter_directory_id", self.voter_directory_id);
    visit("listeners", self.listeners);
  }
};

struct AddRaftVoterResponse {
  static constexpr ApiKey kKey = ApiKey::kAddRaftVoter;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;

  bool operator==(const AddRaftVoterResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
  }
};

}  // namespace tidemark::kafka
