#pragma once

#include "common/kafka/message.h"

// Deletes the access control lists that filters find (KIP-140, KIP-290). Kinds
// are by Kafka's numbers, see common/metadata/acl.h.
namespace tidemark::kafka {

struct DeleteAclsRequest {
  static constexpr ApiKey kKey = ApiKey::kDeleteAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct DeleteAclsFilter {
    int8_t resource_type_filter = 0;
    std::optional<std::string> resource_name_filter;
    int8_t pattern_type_filter = 3;
    std::optional<std::string> principal_filter;
    std::optional<std::string> host_filter;
    int8_t operation = 0;
    int8_t permission_type = 0;

    bool operator==(const DeleteAclsFilter&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_type_filter", self.resource_type_filter);
      visit("resource_name_filter", self.resource_name_filter);
      visit("pattern_type_filter", self.pattern_type_filter);
      visit("principal_filter", self.principal_filter);
      visit("host_filter", self.host_filter);
      visit("operation", self.operation);
      visit("permission_type", self.permission_type);
    }
  };

  std::vector<DeleteAclsFilter> filters;

  bool operator==(const DeleteAclsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("filters", self.filters);
  }
};

struct DeleteAclsResponse {
  static constexpr ApiKey kKey = ApiKey::kDeleteAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct DeleteAclsMatchingAcl {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    bool operator==(const DeleteAclsMatchingAcl&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("pattern_type", self.pattern_type);
      visit("principal", self.principal);
      visit("host", self.host);
      visit("operation", self.operation);
      visit("permission_type", self.permission_type);
    }
  };

  struct DeleteAclsFilterResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<DeleteAclsMatchingAcl> matching_acls;

    bool operator==(const DeleteAclsFilterResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("matching_acls", self.matching_acls);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeleteAclsFilterResult> filter_results;

  bool operator==(const DeleteAclsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("filter_results", self.filter_results);
  }
};

}  // namespace tidemark::kafka
