#pragma once

#include "common/kafka/message.h"

// Deletes empty groups.
namespace tidemark::kafka {

struct DeleteGroupsRequest {
  static constexpr ApiKey kKey = ApiKey::kDeleteGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  std::vector<std::string> groups_names;

  bool operator==(const DeleteGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("groups_names", self.groups_names);
  }
};

struct DeleteGroupsResponse {
  static constexpr ApiKey kKey = ApiKey::kDeleteGroups;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct DeletableGroupResult {
    std::string group_id;
    int16_t error_code = 0;

    bool operator==(const DeletableGroupResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("group_id", self.group_id);
      visit("error_code", self.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeletableGroupResult> results;

  bool operator==(const DeleteGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
