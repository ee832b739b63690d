#include "common/metadata/acl.h"

#include <cctype>
#include <span>

namespace tidemark::metadata {
namespace {

constexpr std::string_view kResources[] = {
    "UNKNOWN",          "ANY",  "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID",
    "DELEGATION_TOKEN", "USER",
};
constexpr std::string_view kPatterns[] = {"UNKNOWN", "ANY", "MATCH", "LITERAL",
                                          "PREFIXED"};
constexpr std::string_view kOperations[] = {
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
};
constexpr std::string_view kPermissions[] = {"UNKNOWN", "ANY", "DENY", "ALLOW"};

using Names = std::span<const std::string_view>;

template <class Kind>
std::string_view NameIn(Names names, Kind kind) {
  const auto at = static_cast<size_t>(kind);
  return at < names.size() ? names[at] : names[0];
}

// Letters alone, in one case.
std::string Folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '_' || c == '-') continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

template <class Kind>
std::optional<Kind> FindIn(Names names, std::string_view name) {
  const std::string folded = Folded(name);
  for (size_t i = 1; i < names.size(); ++i) {
    if (Folded(names[i]) == folded) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

template <class Kind>
bool IsOf(Names names, Kind kind, Kind first) {
  return kind >= first && static_cast<size_t>(kind) < names.size();
}

bool NameMatches(const AclFilter& filter, const ResourcePattern& resource) {
  if (!filter.name) return true;
  if (filter.pattern != AclPattern::kMatch) {
    return *filter.name == resource.name;
  }
  if (resource.pattern == AclPattern::kPrefixed) {
    return filter.name->starts_with(resource.name);
  }
  return *filter.name == resource.name || resource.name == kWildcard;
}

tl::unexpected<Error> Refuse(const std::string& why) {
  return Fail(ErrorCode::kInvalidRequest, why);
}

Status CheckText(const char* what, const std::string& text) {
  if (text.empty()) return Refuse(std::string(what) + " should not be empty");
  if (text.size() <= kMaxAclText) return {};
  return Refuse(std::string(what) + " of " + std::to_string(text.size()) +
                " bytes is longer than " + std::to_string(kMaxAclText));
}

}  // namespace

bool AclFilter::Matches(const Acl& acl) const {
  if (type != AclResource::kAny && type != acl.resource.type) return false;
  if (pattern != AclPattern::kAny && pattern != AclPattern::kMatch &&
      pattern != acl.resource.pattern) {
    return false;
  }
  return NameMatches(*this, acl.resource) &&
         (!principal || *principal == acl.principal) &&
         (!host || *host == acl.host) &&
         (operation == AclOperation::kAny || operation == acl.operation) &&
         (permission == AclPermission::kAny || permission == acl.permission);
}

Status CheckAcl(const Acl& acl) {
  const ResourcePattern& resource = acl.resource;
  if (!IsOf(kResources, resource.type, AclResource::kTopic)) {
    return Refuse("Invalid resourceType " + std::string(Name(resource.type)));
  }
  if (!IsOf(kPatterns, resource.pattern, AclPattern::kLiteral)) {
    return Refuse("Invalid patternType " + std::string(Name(resource.pattern)));
  }
  if (!IsOf(kOperations, acl.operation, AclOperation::kAll)) {
    return Refuse("Invalid operation " + std::string(Name(acl.operation)));
  }
  if (!IsOf(kPermissions, acl.permission, AclPermission::kDeny)) {
    return Refuse("Invalid permissionType " +
                  std::string(Name(acl.permission)));
  }
  if (resource.name.empty()) return Refuse("Invalid empty resource name");
  TM_RETURN_IF_ERROR(CheckText("Resource name", resource.name));
  TM_RETURN_IF_ERROR(CheckText("Principal", acl.principal));
  TM_RETURN_IF_ERROR(CheckText("Host", acl.host));
  if (resource.type == AclResource::kCluster && resource.name != kClusterName) {
    return Refuse(
        std::string("The only valid name for the CLUSTER resource is ") +
        kClusterName);
  }
  const size_t colon = acl.principal.find(':');
  if (colon == 0 || colon == std::string::npos ||
      colon + 1 == acl.principal.size()) {
    return Refuse(
        "expected a string in format principalType:principalName "
        "but got " +
        acl.principal);
  }
  return {};
}

Status CheckFilter(const AclFilter& filter) {
  if (!IsOf(kResources, filter.type, AclResource::kAny) ||
      !IsOf(kPatterns, filter.pattern, AclPattern::kAny)) {
    return Refuse("Unknown patternFilter.");
  }
  if (!IsOf(kOperations, filter.operation, AclOperation::kAny) ||
      !IsOf(kPermissions, filter.permission, AclPermission::kAny)) {
    return Refuse("Unknown entryFilter.");
  }
  return {};
}

std::string_view Name(AclResource type) { return NameIn(kResources, type); }
std::string_view Name(AclPattern pattern) { return NameIn(kPatterns, pattern); }
std::string_view Name(AclOperation operation) {
  return NameIn(kOperations, operation);
}
std::string_view Name(AclPermission permission) {
  return NameIn(kPermissions, permission);
}

std::optional<AclResource> ResourceNamed(std::string_view name) {
  return FindIn<AclResource>(kResources, name);
}
std::optional<AclPattern> PatternNamed(std::string_view name) {
  return FindIn<AclPattern>(kPatterns, name);
}
std::optional<AclOperation> OperationNamed(std::string_view name) {
  return FindIn<AclOperation>(kOperations, name);
}
std::optional<AclPermission> PermissionNamed(std::string_view name) {
  return FindIn<AclPermission>(kPermissions, name);
}

std::string ToText(const Acl& acl) {
  std::string out(Name(acl.resource.type));
  out += ':';
  out += Name(acl.resource.pattern);
  out += ':' + acl.resource.name + ' ' + acl.principal + ' ';
  out += Name(acl.permission);
  out += ' ';
  out += Name(acl.operation);
  return out + " from " + acl.host;
}

}  // namespace tidemark::metadata
