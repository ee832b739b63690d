#include "common/sasl/jaas.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace tidemark::sasl {
namespace {

// Kafka reads it with Java's StreamTokenizer: words, quoted strings with Java's
// escapes, comments of both kinds.
struct Token {
  std::string text;
  bool quoted = false;
};

tl::unexpected<Error> Bad(const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, "bad JAAS configuration: " + why);
}

class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  // nullopt: the end.
  Result<std::optional<Token>> Next() {
    TM_RETURN_IF_ERROR(SkipSpace());
    if (at_ == text_.size()) return std::nullopt;
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      TM_ASSIGN_OR_RETURN(std::string text, Quoted(c));
      return Token{std::move(text), true};
    }
    if (!IsWord(c)) return Token{std::string(1, text_[at_++])};
    Token word;
    while (at_ < text_.size() && IsWord(text_[at_])) word.text += text_[at_++];
    return word;
  }

 private:
  static bool IsWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '_' || c == '-' || c == '$' || c == '/' || c == '@' ||
           c == ':' || static_cast<unsigned char>(c) >= 0x80;
  }

  Status SkipSpace() {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (std::isspace(static_cast<unsigned char>(rest[0]))) {
        ++at_;
      } else if (rest.starts_with("//") || rest[0] == '#') {
        at_ += std::min(rest.find('\n'), rest.size());
      } else if (rest.starts_with("/*")) {
        const size_t end = rest.find("*/", 2);
        if (end == std::string_view::npos) return Bad("a comment has no end");
        at_ += end + 2;
      } else {
        break;
      }
    }
    return {};
  }

  Result<std::string> Quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == quote) {
        ++at_;
        return out;
      }
      if (c == '\n') break;
      if (c == '\\' && at_ + 1 < text_.size()) c = Escaped(text_[++at_]);
      out += c;
    }
    return Bad("a string has no end");
  }

  static char Escaped(char c) {
    constexpr std::string_view kNames = "abfnrtv", kMeant = "\a\b\f\n\r\t\v";
    const size_t found = kNames.find(c);
    return found == std::string_view::npos ? c : kMeant[found];
  }

  const std::string_view text_;
  size_t at_ = 0;
};

bool IsFlag(const Token& token) {
  constexpr std::array<std::string_view, 4> kFlags = {"required", "requisite",
                                                      "sufficient", "optional"};
  std::string lower = token.text;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return std::ranges::count(kFlags, lower) > 0;
}

// Up to the ';' behind it.
Status ParseOptions(Tokens* tokens, LoginModule* module) {
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto key, tokens->Next());
    if (!key) return Bad("no ';' at the end");
    if (!key->quoted && key->text == ";") return {};
    TM_ASSIGN_OR_RETURN(const auto equals, tokens->Next());
    TM_ASSIGN_OR_RETURN(const auto value, tokens->Next());
    if (!equals || equals->quoted || equals->text != "=" || !value ||
        (!value->quoted && value->text == ";")) {
      return Bad("no value for an option of " + module->name);
    }
    module->options[key->text] = value->text;
  }
}

}  // namespace

Result<std::vector<LoginModule>> ParseJaas(std::string_view text) {
  Tokens tokens(text);
  std::vector<LoginModule> out;
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto name, tokens.Next());
    if (!name) break;
    TM_ASSIGN_OR_RETURN(const auto flag, tokens.Next());
    if (!flag || !IsFlag(*flag)) {
      return Bad("no 'required' behind the name of the login module");
    }
    LoginModule& module = out.emplace_back();
    module.name = name->text;
    TM_RETURN_IF_ERROR(ParseOptions(&tokens, &module));
  }
  if (out.empty()) return Bad("no login module");
  return out;
}

}  // namespace tidemark::sasl
