#pragma once

#include "common/kafka/message.h"

// Creates access control lists (KIP-140, KIP-290). Kinds are by Kafka's
// numbers, see common/metadata/acl.h.
namespace tidemark::kafka {

struct CreateAclsRequest {
  static constexpr ApiKey kKey = ApiKey::kCreateAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct AclCreation {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t resource_pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    bool operator==(const AclCreation&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("resource_type", self.resource_type);
      visit("resource_name", self.resource_name);
      visit("resource_pattern_type", self.resource_pattern_type);
      visit("principal", self.principal);
      visit("host", self.host);
      visit("operation", self.operation);
      visit("permission_type", self.permission_type);
    }
  };

  std::vector<AclCreation> creations;

  bool operator==(const CreateAclsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("creations", self.creations);
  }
};

struct CreateAclsResponse {
  static constexpr ApiKey kKey = ApiKey::kCreateAcls;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 3;
  static constexpr int16_t kFirstFlexible = 2;

  struct AclCreationResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const AclCreationResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AclCreationResult> results;

  bool operator==(const CreateAclsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
