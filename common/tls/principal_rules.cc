#include "common/tls/principal_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>

namespace tidemark::tls {
namespace {

tl::unexpected<Error> Bad(const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, "ssl.principal.mapping.rules: " + why);
}

void SkipBlanks(std::string_view* rest) {
  rest->remove_prefix(std::min(rest->find_first_not_of(" \t"), rest->size()));
}

// Up to the next '/' without a backslash before it, which goes too.
std::optional<std::string> TakeToSlash(std::string_view* rest) {
  for (size_t i = 0; i < rest->size(); ++i) {
    if ((*rest)[i] == '\\') {
      ++i;
    } else if ((*rest)[i] == '/') {
      std::string out(rest->substr(0, i));
      rest->remove_prefix(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

// Java's: "$1" is a group, a backslash takes what follows as it is. "$7" where
// there are fewer groups is just that, as in Kafka.
std::string Replaced(const std::string& replacement,
                     const std::vector<re2::StringPiece>& groups) {
  std::string out;
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c == '\\' && i + 1 < replacement.size()) {
      out += replacement[++i];
      continue;
    }
    const bool digit = c == '$' && i + 1 < replacement.size() &&
                       replacement[i + 1] >= '0' && replacement[i + 1] <= '9';
    const size_t group =
        digit ? static_cast<size_t>(replacement[i + 1] - '0') : 0;
    if (!digit || group >= groups.size()) {
      out += c;
      continue;
    }
    out.append(groups[group].data() == nullptr ? "" : groups[group].data(),
               groups[group].size());
    ++i;
  }
  return out;
}

}  // namespace

Result<PrincipalRules> PrincipalRules::Parse(std::string_view text) {
  PrincipalRules out;
  SkipBlanks(&text);
  while (!text.empty()) {
    TM_ASSIGN_OR_RETURN(Rule rule, ParseRule(&text));
    out.rules_.push_back(std::move(rule));
    SkipBlanks(&text);
    if (text.empty()) break;
    if (text[0] != ',') return Bad("want a ',' behind each rule");
    text.remove_prefix(1);
    SkipBlanks(&text);
  }
  if (out.rules_.empty()) out.rules_.emplace_back();
  return out;
}

Result<PrincipalRules::Rule> PrincipalRules::ParseRule(std::string_view* rest) {
  constexpr std::string_view kDefault = "DEFAULT", kRule = "RULE:";
  Rule rule;
  if (rest->starts_with(kDefault)) {
    rest->remove_prefix(kDefault.size());
    return rule;
  }
  if (!rest->starts_with(kRule)) {
    return Bad("want RULE:pattern/replacement/[LU] or DEFAULT");
  }
  rest->remove_prefix(kRule.size());
  const auto pattern = TakeToSlash(rest);
  auto replacement = TakeToSlash(rest);
  if (!pattern || !replacement) return Bad("want pattern/replacement/[LU]");
  rule.replacement = std::move(*replacement);
  if (rest->starts_with('L') || rest->starts_with('U')) {
    rule.change = rest->front();
    rest->remove_prefix(1);
  }
  RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<RE2>(*pattern, options);
  if (!compiled->ok()) return Bad(*pattern + ": " + compiled->error());
  rule.pattern = std::move(compiled);
  return rule;
}

std::optional<std::string> PrincipalRules::Apply(
    const std::string& subject) const {
  for (const Rule& rule : rules_) {
    if (rule.pattern == nullptr) return subject;
    std::vector<re2::StringPiece> groups(
        static_cast<size_t>(rule.pattern->NumberOfCapturingGroups()) + 1);
    if (!rule.pattern->Match(subject, 0, subject.size(), RE2::ANCHOR_BOTH,
                             groups.data(), static_cast<int>(groups.size()))) {
      continue;
    }
    std::string name = Replaced(rule.replacement, groups);
    std::ranges::transform(name, name.begin(), [&](unsigned char c) {
      return static_cast<char>(rule.change == 'L'   ? std::tolower(c)
                               : rule.change == 'U' ? std::toupper(c)
                                                    : c);
    });
    return name;
  }
  return std::nullopt;
}

}  // namespace tidemark::tls
