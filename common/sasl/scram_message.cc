#include "common/sasl/scram_message.h"

#include <algorithm>
#include <optional>

#include "common/base/utf8.h"
#include "common/sasl/digest.h"

namespace tidemark::sasl {
namespace {

// Longer ones are no client's.
constexpr size_t kMaxNonce = 1024;

// The value of "x=value", which goes off the front with its comma; nullopt:
// something else is next.
std::optional<std::string_view> Take(char name, std::string_view* rest) {
  if (rest->size() < 2 || (*rest)[0] != name || (*rest)[1] != '=') {
    return std::nullopt;
  }
  const size_t end = std::min(rest->find(','), rest->size());
  const std::string_view value = rest->substr(2, end - 2);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return value;
}

// "=2C" and "=3D" stand for ',' and '='.
std::optional<std::string> Unescape(std::string_view text) {
  if (text.empty() || text.size() > 3 * kMaxUser || !IsUtf8(text)) {
    return std::nullopt;
  }
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return std::nullopt;
    if (text[i] != '=') {
      out += text[i];
    } else if (text.substr(i, 3) == "=2C" || text.substr(i, 3) == "=3D") {
      out += text[i + 1] == '2' ? ',' : '=';
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  if (out.size() > kMaxUser) return std::nullopt;
  return out;
}

bool IsNonce(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNonce &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

tl::expected<ClientFirst, Refusal> ParseClientFirst(std::string_view message) {
  ClientFirst out;
  // 'y': it could do channel binding, and sees that we do not.
  if (!message.starts_with("n,") && !message.starts_with("y,")) {
    return Refuse("no first message of SCRAM without channel binding");
  }
  std::string_view rest = message.substr(2);
  if (const auto authorization = Take('a', &rest)) {
    auto name = Unescape(*authorization);
    if (!name) return Refuse("bad authorization id");
    out.authorization = std::move(*name);
  } else if (rest.starts_with(',')) {
    rest.remove_prefix(1);
  } else {
    return Refuse("bad GS2 header");
  }
  out.header = message.substr(0, message.size() - rest.size());
  out.bare = rest;
  const auto user = Take('n', &rest);
  if (!user) return Refuse("no user, or an extension that we do not have");
  auto name = Unescape(*user);
  if (!name) return Refuse("bad user name");
  out.user = std::move(*name);
  const auto nonce = Take('r', &rest);
  if (!nonce || !IsNonce(*nonce)) return Refuse("bad nonce");
  out.nonce = *nonce;
  out.by_token = ("," + std::string(rest) + ",").find(",tokenauth=true,") !=
                 std::string::npos;
  return out;
}

tl::expected<ClientFinal, Refusal> ParseClientFinal(std::string_view message) {
  ClientFinal out;
  const size_t proof = message.rfind(",p=");
  if (proof == std::string_view::npos) return Refuse("no proof");
  out.without_proof = message.substr(0, proof);
  std::string_view rest = out.without_proof;
  const auto binding = Take('c', &rest);
  const auto nonce = Take('r', &rest);
  if (!binding || !nonce || !IsNonce(*nonce)) {
    return Refuse("no final message of SCRAM");
  }
  auto decoded = FromBase64(*binding);
  auto decoded_proof = FromBase64(message.substr(proof + 3));
  if (!decoded || !decoded_proof) return Refuse("bad base64");
  out.binding = std::move(*decoded);
  out.nonce = *nonce;
  out.proof = std::move(*decoded_proof);
  return out;
}

}  // namespace tidemark::sasl
