#pragma once

#include "common/kafka/message.h"

// Removes members from a group; several at once from version 3 on (KIP-345).
namespace tidemark::kafka {

struct LeaveGroupRequest {
  static constexpr ApiKey kKey = ApiKey::kLeaveGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 4;

  struct MemberIdentity {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    bool operator==(const MemberIdentity&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("group_instance_id", self.group_instance_id);
      visit("reason", self.reason, Since(5));
    }
  };

  std::string group_id;
  std::string member_id;
  std::vector<MemberIdentity> members;

  bool operator==(const LeaveGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("member_id", self.member_id, Until(2));
    visit("members", self.members, Since(3));
  }
};

struct LeaveGroupResponse {
  static constexpr ApiKey kKey = ApiKey::kLeaveGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 4;

  struct MemberResponse {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    int16_t error_code = 0;

    bool operator==(const MemberResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("group_instance_id", self.group_instance_id);
      visit("error_code", self.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<MemberResponse> members;

  bool operator==(const LeaveGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("error_code", self.error_code);
    visit("members", self.members, Since(3));
  }
};

}  // namespace tidemark::kafka
