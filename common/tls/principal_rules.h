#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace re2 {
class RE2;
}

namespace tidemark::tls {

// Kafka's ssl.principal.mapping.rules: whom the subject of a certificate stands
// for. The first rule that fits counts:
//
//   RULE:^CN=([^,]*),OU=ops.*$/$1/L, DEFAULT
//
// Patterns are RE2's, which Java's are but for look-around and back references.
// Immutable; any thread.
class PrincipalRules {
 public:
  // Error kInvalidConfig.
  static Result<PrincipalRules> Parse(std::string_view text);

  // nullopt: no rule fits, so it is nobody.
  std::optional<std::string> Apply(const std::string& subject) const;

 private:
  struct Rule {
    std::shared_ptr<const re2::RE2> pattern;  // nullptr: DEFAULT
    std::string replacement;
    char change = 0;  // 'L' or 'U': to that case
  };
  static Result<Rule> ParseRule(std::string_view* rest);

  std::vector<Rule> rules_;
};

}  // namespace tidemark::tls
