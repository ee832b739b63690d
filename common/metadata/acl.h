#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tidemark::metadata {

// Access control lists as Kafka has them (KIP-11, KIP-290), with its numbers,
// which are on the wire and in the log.

enum class AclResource : int8_t {
  kUnknown = 0,
  kAny = 1,  // in filters
  kTopic = 2,
  kGroup = 3,
  kCluster = 4,
  kTransactionalId = 5,
  kDelegationToken = 6,
  kUser = 7,
};

enum class AclPattern : int8_t {
  kUnknown = 0,
  kAny = 1,    // in filters
  kMatch = 2,  // in filters: whatever applies to a resource of that name
  kLiteral = 3,
  kPrefixed = 4,
};

enum class AclOperation : int8_t {
  kUnknown = 0,
  kAny = 1,  // in filters
  kAll = 2,
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
  kCreateTokens = 13,
  kDescribeTokens = 14,
  kTwoPhaseCommit = 15,
};

enum class AclPermission : int8_t {
  kUnknown = 0,
  kAny = 1,  // in filters
  kDeny = 2,
  kAllow = 3,
};

// The only name of a resource of type kCluster.
inline constexpr char kClusterName[] = "kafka-cluster";
// Of a literal pattern: every name. Of a host: every host.
inline constexpr char kWildcard[] = "*";
inline constexpr char kEveryone[] = "User:*";

// Which resources a rule is about.
struct ResourcePattern {
  AclResource type = AclResource::kUnknown;
  AclPattern pattern = AclPattern::kLiteral;
  std::string name;

  auto operator<=>(const ResourcePattern&) const = default;
};

struct Acl {
  ResourcePattern resource;
  std::string principal;  // "User:alice"
  std::string host;       // "10.0.0.1", "*"
  AclOperation operation = AclOperation::kUnknown;
  AclPermission permission = AclPermission::kUnknown;

  auto operator<=>(const Acl&) const = default;
};

// Kafka's AclBindingFilter.
struct AclFilter {
  AclResource type = AclResource::kAny;
  std::optional<std::string> name;
  AclPattern pattern = AclPattern::kAny;
  std::optional<std::string> principal;
  std::optional<std::string> host;
  AclOperation operation = AclOperation::kAny;
  AclPermission permission = AclPermission::kAny;

  bool Matches(const Acl& acl) const;
};

// Whether it can be a rule: kinds that there are, not those of filters; names
// that are not empty and no longer than kMaxAclText; a principal "TYPE:NAME".
// Error kInvalidRequest, in Kafka's words where it has any.
inline constexpr size_t kMaxAclText = 1024;
Status CheckAcl(const Acl& acl);
Status CheckFilter(const AclFilter& filter);

// Kafka's names, "TOPIC", "DESCRIBE_CONFIGS"; "UNKNOWN" for other numbers.
std::string_view Name(AclResource type);
std::string_view Name(AclPattern pattern);
std::string_view Name(AclOperation operation);
std::string_view Name(AclPermission permission);
// The reverse, in any case and with or without '_' or '-', as kafka-acls takes
// them ("DescribeConfigs"). nullopt: none of that name.
std::optional<AclResource> ResourceNamed(std::string_view name);
std::optional<AclPattern> PatternNamed(std::string_view name);
std::optional<AclOperation> OperationNamed(std::string_view name);
std::optional<AclPermission> PermissionNamed(std::string_view name);

// "TOPIC:LITERAL:orders User:alice ALLOW READ from *"
std::string ToText(const Acl& acl);

}  // namespace tidemark::metadata
