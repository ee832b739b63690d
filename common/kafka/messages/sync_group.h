#pragma once

#include "common/kafka/message.h"

// Hands out the assignments that the group's leader made.
namespace tidemark::kafka {

struct SyncGroupRequest {
  static constexpr ApiKey kKey = ApiKey::kSyncGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 4;

  struct SyncGroupRequestAssignment {
    std::string member_id;
    SharedBytes assignment;

    bool operator==(const SyncGroupRequestAssignment&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("assignment", self.assignment);
    }
  };

  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<SyncGroupRequestAssignment> assignments;

  bool operator==(const SyncGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("generation_id", self.generation_id);
    visit("member_id", self.member_id);
    visit("group_instance_id", self.group_instance_id, Since(3));
    visit("protocol_type", self.protocol_type, Since(5));
    visit("protocol_name", self.protocol_name, Since(5));
    visit("assignments", self.assignments);
  }
};

struct SyncGroupResponse {
  static constexpr ApiKey kKey = ApiKey::kSyncGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 4;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  SharedBytes assignment;

  bool operator==(const SyncGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("error_code", self.error_code);
    visit("protocol_type", self.protocol_type, Since(5));
    visit("protocol_name", self.protocol_name, Since(5));
    visit("assignment", self.assignment);
  }
};

}  // namespace tidemark::kafka
