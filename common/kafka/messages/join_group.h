#pragma once

#include "common/kafka/message.h"

// Joins a group and waits for its next generation. From version 4 on a first
// join is answered with MEMBER_ID_REQUIRED (KIP-394).
namespace tidemark::kafka {

struct JoinGroupRequest {
  static constexpr ApiKey kKey = ApiKey::kJoinGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 6;

  struct JoinGroupRequestProtocol {
    std::string name;
    SharedBytes metadata;

    bool operator==(const JoinGroupRequestProtocol&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("metadata", self.metadata);
    }
  };

  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<JoinGroupRequestProtocol> protocols;
  std::optional<std::string> reason;

  bool operator==(const JoinGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("session_timeout_ms", self.session_timeout_ms);
    visit("rebalance_timeout_ms", self.rebalance_timeout_ms, Since(1));
    visit("member_id", self.member_id);
    visit("group_instance_id", self.group_instance_id, Since(5));
    visit("protocol_type", self.protocol_type);
    visit("protocols", self.protocols);
    visit("reason", self.reason, Since(8));
  }
};

struct JoinGroupResponse {
  static constexpr ApiKey kKey = ApiKey::kJoinGroup;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 6;

  struct JoinGroupResponseMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    SharedBytes metadata;

    bool operator==(const JoinGroupResponseMember&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("group_instance_id", self.group_instance_id, Since(5));
      visit("metadata", self.metadata);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinGroupResponseMember> members;

  bool operator==(const JoinGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(2));
    visit("error_code", self.error_code);
    visit("generation_id", self.generation_id);
    visit("protocol_type", self.protocol_type, Since(7));
    visit("protocol_name", self.protocol_name, Always().NullableSince(7));
    visit("leader", self.leader);
    visit("skip_assignment", self.skip_assignment, Since(9));
    visit("member_id", self.member_id);
    visit("members", self.members);
  }
};

}  // namespace tidemark::kafka
