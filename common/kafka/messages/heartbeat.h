#pragma once

#include "common/kafka/message.h"

// Keeps a group member's session alive.
namespace tidemark::kafka {

struct HeartbeatRequest {
  static constexpr ApiKey kKey = ApiKey::kHeartbeat;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;

  bool operator==(const HeartbeatRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("generation_id", self.generation_id);
    visit("member_id", self.member_id);
    visit("group_instance_id", self.group_instance_id, Since(3));
  }
};

struct HeartbeatResponse {
  static constexpr ApiKey kKey = ApiKey::kHeartbeat;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  bool operator==(const HeartbeatResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("error_code", self.error_code);
  }
};

}  // namespace tidemark::kafka
