#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/metadata/acls_image.h"

namespace tidemark::authorization {

// Who asks, and from where.
struct Subject {
  std::string_view principal;  // "User:alice"
  std::string_view host;       // "10.0.0.1"
};

// What is asked for.
struct Action {
  metadata::AclOperation operation = metadata::AclOperation::kUnknown;
  metadata::AclResource type = metadata::AclResource::kUnknown;
  std::string_view name;
};

// Yes or no, and by what.
struct Verdict {
  enum class Reason : uint8_t {
    kRule,
    kSuperUser,
    kNoRules,  // of this resource: as allow.everyone.if.no.acl.found says
    kNoMatch,  // there are rules of this resource, and none for this
  };
  bool allowed = false;
  Reason reason = Reason::kNoMatch;
  // Of kRule: whose pattern and what else it says. They live as long as the
  // lists and the action that were asked.
  metadata::AclPattern pattern = metadata::AclPattern::kLiteral;
  std::string_view pattern_name;
  const metadata::AclsImage::Rule* rule = nullptr;
};

// "SuperUser", "DefaultDeny", or the rule.
std::string ToText(const Verdict& verdict, metadata::AclResource type);

// Kafka's StandardAuthorizer: a denial of any rule that applies, literal,
// prefixed or wildcard, is stronger than whatever allows; rules of "User:*" and
// of host "*" are everybody's; who may read, write, delete or alter may
// describe, and who may alter settings may describe them. Where no rule
// applies, no.
//
// A question costs three to five searches in the lists, whatever they hold,
// and some for each prefixed pattern that the name begins with. Immutable; any
// thread.
class Authorizer {
 public:
  struct Options {
    std::set<std::string, std::less<>> super_users;  // may do everything
    // allow.everyone.if.no.acl.found
    bool allow_everyone = false;
  };
  explicit Authorizer(Options options) : options_(std::move(options)) {}

  // super.users as Kafka writes it: "User:a;User:b". Error kInvalidConfig.
  static Result<std::set<std::string, std::less<>>> ParseSuperUsers(
      std::string_view text);

  Verdict Authorize(const metadata::AclsImage& acls, const Subject& subject,
                    const Action& action) const;

  // Whether there can be a resource of the type that the subject may do this
  // to (Kafka's authorizeByResourceType). Looks at every pattern of the type.
  bool AuthorizeAny(const metadata::AclsImage& acls, const Subject& subject,
                    metadata::AclOperation operation,
                    metadata::AclResource type) const;

 private:
  const Options options_;
};

}  // namespace tidemark::authorization
