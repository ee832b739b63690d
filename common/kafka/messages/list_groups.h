#pragma once

#include "common/kafka/message.h"

// The groups that a broker coordinates.
namespace tidemark::kafka {

struct ListGroupsRequest {
  static constexpr ApiKey kKey = ApiKey::kListGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;

  bool operator==(const ListGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("states_filter", self.states_filter, Since(4));
    visit("types_filter", self.types_filter, Since(5));
  }
};

struct ListGroupsResponse {
  static constexpr ApiKey kKey = ApiKey::kListGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct ListedGroup {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    bool operator==(const ListedGroup&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("group_id", self.group_id);
      visit("protocol_type", self.protocol_type);
      visit("group_state", self.group_state, Since(4));
      visit("group_type", self.group_type, Since(5));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ListedGroup> groups;

  bool operator==(const ListGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(1));
    visit("error_code", self.error_code);
    visit("groups", self.groups);
  }
};

}  // namespace tidemark::kafka
