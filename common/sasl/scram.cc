#include "common/sasl/scram.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/sasl/scram_message.h"

namespace tidemark::sasl {

ScramKeys KeysOf(Hash hash, std::string_view salted_password, std::string salt,
                 int32_t iterations) {
  return {std::move(salt),
          Digest(hash, Hmac(hash, salted_password, "Client Key")),
          Hmac(hash, salted_password, "Server Key"), iterations};
}

ScramKeys MadeUpKeys(Hash hash, std::string_view secret,
                     const std::string& user, int32_t iterations) {
  return {TextOf(Hmac(hash, secret, "salt " + user)),
          Hmac(hash, secret, "stored key " + user),
          Hmac(hash, secret, "server key " + user), iterations};
}

std::string TextOf(std::string_view random) {
  CHECK_GE(random.size(), kTextBytes);
  std::string number(random.substr(0, kTextBytes));
  number[0] &= 3;
  std::string out;
  while (std::ranges::any_of(number, [](char c) { return c != 0; })) {
    unsigned rest = 0;
    for (char& c : number) {
      const unsigned value = rest << 8 | static_cast<unsigned char>(c);
      c = static_cast<char>(value / 36);
      rest = value % 36;
    }
    out += "0123456789abcdefghijklmnopqrstuvwxyz"[rest];
  }
  std::ranges::reverse(out);
  return out.empty() ? "0" : out;
}

tl::expected<std::string, Refusal> Scram::Evaluate(std::string_view message) {
  // What the first one says is kept until the last.
  constexpr size_t kMostBytes = 8192;
  if (message.size() > kMostBytes) return Refuse("a message is too long");
  switch (std::exchange(step_, Step::kOver)) {
    case Step::kFirst:
      return First(message);
    case Step::kFinal:
      return Final(message);
    case Step::kOver:
      break;
  }
  return Refuse("a message after the last");
}

tl::expected<std::string, Refusal> Scram::First(std::string_view message) {
  auto first = ParseClientFirst(message);
  if (!first) return tl::unexpected(std::move(first.error()));
  user_ = std::move(first->user);
  if (!first->authorization.empty() && first->authorization != user_) {
    return RefuseOpenly(
        "Authentication failed: Client requested an authorization id that is "
        "different from username");
  }
  const auto found = first->by_token ? std::nullopt : options_.find(user_);
  known_ = found.has_value();
  const ScramKeys made_up = MadeUpKeys(options_.hash, options_.secret, user_,
                                       options_.made_up_iterations);
  keys_ = found.value_or(made_up);
  header_ = first->header;
  nonce_ = std::string(first->nonce) + options_.nonce;
  const std::string answer = "r=" + nonce_ + ",s=" + ToBase64(keys_.salt) +
                             ",i=" + std::to_string(keys_.iterations);
  to_sign_ = std::string(first->bare) + "," + answer;
  step_ = Step::kFinal;
  return answer;
}

tl::expected<std::string, Refusal> Scram::Final(std::string_view message) {
  auto final = ParseClientFinal(message);
  if (!final) return tl::unexpected(std::move(final.error()));
  // librdkafka up to 2.6.0 puts its own in front of it once more.
  if (!final->nonce.ends_with(nonce_)) {
    return Refuse("Invalid client nonce in the final client message.");
  }
  // What came first has come as it was sent.
  if (final->binding != header_) return Refuse("the GS2 header has changed");
  to_sign_ += "," + std::string(final->without_proof);
  const bool fits = Fits(final->proof);
  // It may have been deleted, or changed, meanwhile.
  if (known_) {
    const auto now = options_.find(user_);
    known_ = now && SameSecret(now->stored_key, keys_.stored_key);
  }
  if (!fits || !known_) {
    return Refuse(known_ ? "Invalid client credentials" : "no such user");
  }
  complete_ = true;
  return "v=" + ToBase64(Hmac(options_.hash, keys_.server_key, to_sign_));
}

bool Scram::Fits(std::string_view proof) const {
  std::string key = Hmac(options_.hash, keys_.stored_key, to_sign_);
  if (proof.size() != key.size()) return false;
  for (size_t i = 0; i < key.size(); ++i) key[i] ^= proof[i];
  return SameSecret(Digest(options_.hash, key), keys_.stored_key);
}

}  // namespace tidemark::sasl
