#include "common/sasl/plain.h"

#include <algorithm>

#include "common/base/utf8.h"
#include "common/sasl/digest.h"

namespace tidemark::sasl {

void PlainUsers::Add(const std::string& user, std::string_view password) {
  digests_[user] = Digest(Hash::kSha256, password);
}

bool PlainUsers::Check(const std::string& user,
                       std::string_view password) const {
  const auto found = digests_.find(user);
  const std::string given = Digest(Hash::kSha256, password);
  const std::string nobody(given.size(), '\0');
  const bool same =
      SameSecret(given, found == digests_.end() ? nobody : found->second);
  return same && found != digests_.end();
}

// [authorization id] NUL user NUL password
tl::expected<std::string, Refusal> Plain::Evaluate(std::string_view message) {
  constexpr size_t kTokens = 3;
  if (std::ranges::count(message, '\0') != kTokens - 1) {
    return RefuseOpenly("Invalid SASL/PLAIN response: expected 3 tokens");
  }
  const size_t first = message.find('\0'), second = message.rfind('\0');
  const std::string_view authorization = message.substr(0, first);
  const std::string_view user = message.substr(first + 1, second - first - 1);
  const std::string_view password = message.substr(second + 1);
  if (user.empty()) {
    return RefuseOpenly("Authentication failed: username not specified");
  }
  if (password.empty()) {
    return RefuseOpenly("Authentication failed: password not specified");
  }
  std::string name(user);
  if (user.size() > kMaxUser || !IsUtf8(user) ||
      !users_.Check(name, password)) {
    return RefuseOpenly("Authentication failed: Invalid username or password");
  }
  if (!authorization.empty() && authorization != user) {
    return RefuseOpenly(
        "Authentication failed: Client requested an authorization id that is "
        "different from username");
  }
  user_ = std::move(name);
  complete_ = true;
  return std::string();
}

}  // namespace tidemark::sasl
