#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/sasl/digest.h"
#include "common/sasl/mechanism.h"

namespace tidemark::sasl {

// What a server keeps of a password (RFC 5802, section 3).
struct ScramKeys {
  std::string salt;
  std::string stored_key;
  std::string server_key;
  int32_t iterations = 0;
};

// Kafka's bounds for the iterations of both mechanisms.
inline constexpr int32_t kLeastIterations = 4096;
inline constexpr int32_t kMostIterations = 16384;

ScramKeys KeysOf(Hash hash, std::string_view salted_password, std::string salt,
                 int32_t iterations);
// What somebody is answered with who is unknown: no proof fits it, and the salt
// is always the same for that user. `secret`: 16 bytes or more that nobody can
// guess.
ScramKeys MadeUpKeys(Hash hash, std::string_view secret,
                     const std::string& user, int32_t iterations);

// As text, 130 bits of `random`, of which it takes 17 bytes: the form of nonces
// and salts that Kafka's tools make, so that none tells who made it.
inline constexpr size_t kTextBytes = 17;
std::string TextOf(std::string_view random);

// The server of SCRAM (RFC 5802, RFC 7677) without channel binding. Whether a
// user is there shows in no answer.
class Scram final : public Exchange {
 public:
  struct Options {
    Hash hash = Hash::kSha256;
    std::string nonce;  // printable, without ','; never used before
    // nullopt: there is no such user.
    std::function<std::optional<ScramKeys>(const std::string& user)> find;
    std::string secret;  // of MadeUpKeys
    int32_t made_up_iterations = kLeastIterations;
  };
  explicit Scram(Options options) : options_(std::move(options)) {}

  tl::expected<std::string, Refusal> Evaluate(
      std::string_view message) override;

 private:
  tl::expected<std::string, Refusal> First(std::string_view message);
  tl::expected<std::string, Refusal> Final(std::string_view message);
  bool Fits(std::string_view proof) const;

  const Options options_;
  enum class Step : uint8_t { kFirst, kFinal, kOver } step_ = Step::kFirst;
  ScramKeys keys_;
  bool known_ = false;
  std::string header_;   // the client's, of GS2
  std::string nonce_;    // the client's and ours
  std::string to_sign_;  // what both have said
};

}  // namespace tidemark::sasl
