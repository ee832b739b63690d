#pragma once

#include "common/kafka/message.h"

// State and members of groups.
namespace tidemark::kafka {

struct DescribeGroupsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 6;
  static constexpr int16_t kFirstFlexible = 5;

  std::vector<std::string> groups;
  bool include_authorized_operations = false;

  bool operator==(const DescribeGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("groups", self.groups);
    visit("include_authorized_operations", self.include_authorized_operations,
          Since(3));
  }
};

struct DescribeGroupsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 6;
  static constexpr int16_t kFirstFlexible = 5;

  struct DescribedGroupMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    SharedBytes member_metadata;
    SharedBytes member_assignment;

    bool operator==(const DescribedGroupMember&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("group_instance_id", self.group_instance_id, Since(4));
      visit("client_id", self.client_id);
      visit("client_host", self.client_host);
      visit("member_metadata", self.member_metadata);
      visit("member_assignment", self.member_assignment);
    }
  };

  struct DescribedGroup {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<DescribedGroupMember> members;
    int32_t authorized_operations = INT32_MIN;

    bool operator==(const DescribedGroup&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message, Since(6));
      visit("group_id", self.group_id);
      visit("group_state", self.group_state);
      visit("protocol_type", self.protocol_type);
      visit("protocol_data", self.protocol_data);
      visit("members", self.members);
      visit("authorized_operations", self.authorized_operations, Since(3));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  bool operator==(const DescribeGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("groups", self.groups);
  }
};

}  // namespace tidemark::kafka
