#pragma once

#include "common/kafka/message.h"

// Lists the access control lists that a filter finds (KIP-140, KIP-290). Kinds
// are by Kafka's numbers, see common/metadata/acl.h.
namespace tidemark::kafka {

struct DescribeAclsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  int8_t resource_type_filter = 0;
  std::optional<std::string> resource_name_filter;
  int8_t pattern_type_filter = 3;
  std::optional<std::string> principal_filter;
  std::optional<std::string> host_filter;
  int8_t operation = 0;
  int8_t permission_type = 0;

  bool operator==(const DescribeAclsRequest&) const = default;
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

struct DescribeAclsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct AclDescription {
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    bool operator==(const AclDescription&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("principal", self.principal);
      visit("host", self.host);
      visit("operation", self.operation);
      visit("permission_type", self.permission_type);
    }
  };

  struct DescribeAclsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::vector<AclDescription> acls;

    bool operator==(const DescribeAclsResource&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("pattern_type", self.pattern_type);
      visit("acls", self.acls);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<DescribeAclsResource> resources;

  bool operator==(const DescribeAclsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("resources", self.resources);
  }
};

}  // namespace tidemark::kafka
