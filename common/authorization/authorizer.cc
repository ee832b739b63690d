#include "common/authorization/authorizer.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::authorization {
namespace {

using metadata::AclOperation;
using metadata::AclPattern;
using metadata::AclPermission;
using metadata::AclResource;
using metadata::AclsImage;
using Rule = AclsImage::Rule;
using Rules = AclsImage::Rules;

// Which operations an allowance of one allows.
bool Implies(AclOperation allowed, AclOperation asked) {
  if (allowed == asked) return true;
  if (asked == AclOperation::kDescribe) {
    return allowed == AclOperation::kRead || allowed == AclOperation::kWrite ||
           allowed == AclOperation::kDelete || allowed == AclOperation::kAlter;
  }
  return asked == AclOperation::kDescribeConfigs &&
         allowed == AclOperation::kAlterConfigs;
}

// An address of IPv6 has many forms; Kafka's rules have the long one.
bool IsOfHost(const std::string& rule, std::string_view host) {
  if (rule == metadata::kWildcard || rule == host) return true;
  if (host.find(':') == std::string_view::npos) return false;
  in6_addr a{}, b{};
  return inet_pton(AF_INET6, rule.c_str(), &a) == 1 &&
         inet_pton(AF_INET6, std::string(host).c_str(), &b) == 1 &&
         std::memcmp(&a, &b, sizeof a) == 0;
}

bool Applies(const Rule& rule, std::string_view host, AclOperation asked) {
  if (!IsOfHost(rule.host, host)) return false;
  if (rule.operation == AclOperation::kAll) return true;
  return rule.permission == AclPermission::kAllow
             ? Implies(rule.operation, asked)
             : rule.operation == asked;
}

// One question: what the patterns that it has been shown say.
class Search {
 public:
  Search(const Subject& subject, AclOperation operation)
      : subject_(subject), operation_(operation) {}

  bool denied() const { return denied_; }

  void Look(const Rules* rules, AclPattern pattern, std::string_view name) {
    if (rules == nullptr || denied_) return;
    found_rules_ = true;
    LookFor(subject_.principal, *rules, pattern, name);
    LookFor(metadata::kEveryone, *rules, pattern, name);
  }

  Verdict Result(bool allow_everyone) const {
    if (verdict_.rule != nullptr) return verdict_;
    Verdict out;
    out.reason =
        found_rules_ ? Verdict::Reason::kNoMatch : Verdict::Reason::kNoRules;
    out.allowed = !found_rules_ && allow_everyone;
    return out;
  }

 private:
  // Denials come first.
  void LookFor(std::string_view principal, const Rules& rules,
               AclPattern pattern, std::string_view name) {
    for (auto at = rules.lower_bound(principal);
         at != rules.end() && at->first.principal == principal && !denied_;
         ++at) {
      const Rule& rule = at->first;
      if (!Applies(rule, subject_.host, operation_)) continue;
      denied_ = rule.permission == AclPermission::kDeny;
      if (!denied_ && verdict_.rule != nullptr) return;
      verdict_ = {!denied_, Verdict::Reason::kRule, pattern, name, &rule};
      return;
    }
  }

  const Subject& subject_;
  const AclOperation operation_;
  bool found_rules_ = false;
  bool denied_ = false;
  Verdict verdict_;
};

// What the rules of one pattern say about an operation, for AuthorizeAny:
// Kafka takes no operation for another there.
struct Said {
  bool denied = false, allowed = false;
};

Said SaidBy(const Rules& rules, const Subject& subject,
            AclOperation operation) {
  Said said;
  for (const std::string_view principal :
       {subject.principal, std::string_view(metadata::kEveryone)}) {
    for (auto at = rules.lower_bound(principal);
         at != rules.end() && at->first.principal == principal; ++at) {
      const Rule& rule = at->first;
      if (!IsOfHost(rule.host, subject.host)) continue;
      if (rule.operation != operation && rule.operation != AclOperation::kAll) {
        continue;
      }
      (rule.permission == AclPermission::kDeny ? said.denied : said.allowed) =
          true;
    }
  }
  return said;
}

using Names = std::set<std::string_view>;

bool BeginsWithOne(std::string_view name, const Names& prefixes) {
  for (size_t length = 1; length <= name.size(); ++length) {
    if (prefixes.contains(name.substr(0, length))) return true;
  }
  return false;
}

}  // namespace

std::string ToText(const Verdict& verdict, AclResource type) {
  switch (verdict.reason) {
    case Verdict::Reason::kSuperUser:
      return "SuperUser";
    case Verdict::Reason::kNoRules:
    case Verdict::Reason::kNoMatch:
      return verdict.allowed ? "DefaultAllow" : "DefaultDeny";
    case Verdict::Reason::kRule:
      break;
  }
  const Rule& rule = *verdict.rule;
  return ToText(
      metadata::Acl{{type, verdict.pattern, std::string(verdict.pattern_name)},
                    rule.principal,
                    rule.host,
                    rule.operation,
                    rule.permission});
}

Result<std::set<std::string, std::less<>>> Authorizer::ParseSuperUsers(
    std::string_view text) {
  std::set<std::string, std::less<>> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.empty()) continue;
    const size_t colon = one.find(':');
    if (colon == 0 || colon == std::string_view::npos ||
        colon + 1 == one.size()) {
      return Fail(ErrorCode::kInvalidConfig,
                  "Invalid value '" + std::string(one) +
                      "' for configuration super.users: must be "
                      "principalType:principalName, with ';' between several");
    }
    out.emplace(one);
  }
  return out;
}

Verdict Authorizer::Authorize(const AclsImage& acls, const Subject& subject,
                              const Action& action) const {
  if (options_.super_users.contains(subject.principal)) {
    return {.allowed = true, .reason = Verdict::Reason::kSuperUser};
  }
  Search search(subject, action.operation);
  search.Look(acls.FindLiteral(action.type, action.name), AclPattern::kLiteral,
              action.name);
  size_t length = 0;
  std::string_view rest = action.name;
  while (!search.denied()) {
    const Rules* rules = acls.FindPrefix(action.type, rest, &length);
    if (rules == nullptr) break;
    search.Look(rules, AclPattern::kPrefixed, action.name.substr(0, length));
    rest = action.name.substr(0, length - 1);
  }
  search.Look(acls.FindLiteral(action.type, metadata::kWildcard),
              AclPattern::kLiteral, metadata::kWildcard);
  return search.Result(options_.allow_everyone);
}

bool Authorizer::AuthorizeAny(const AclsImage& acls, const Subject& subject,
                              AclOperation operation, AclResource type) const {
  // Kafka asks for some resource first, which whoever may do all may do too.
  if (Authorize(acls, subject, {operation, type, "hardcode"}).allowed) {
    return true;
  }
  Names denied_literally, denied_prefixes;
  std::vector<const metadata::ResourcePattern*> allowed;
  bool all_denied = false, all_allowed = false;
  acls.EachOf(
      type, [&](const metadata::ResourcePattern& pattern, const Rules& rules) {
        const Said said = SaidBy(rules, subject, operation);
        const bool literal = pattern.pattern == AclPattern::kLiteral;
        if (literal && pattern.name == metadata::kWildcard) {
          all_denied = said.denied;
          all_allowed = said.allowed;
          return;
        }
        if (said.denied) {
          (literal ? denied_literally : denied_prefixes).insert(pattern.name);
        }
        if (said.allowed) allowed.push_back(&pattern);
      });
  if (all_denied) return false;
  if (all_allowed) return true;
  return std::ranges::any_of(allowed, [&](const auto* pattern) {
    const bool denied = pattern->pattern == AclPattern::kLiteral &&
                        denied_literally.contains(pattern->name);
    return !denied && !BeginsWithOne(pattern->name, denied_prefixes);
  });
}

}  // namespace tidemark::authorization
