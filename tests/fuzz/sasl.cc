// What strangers say to a listener with SASL, and the lines of JAAS.

#include <glog/logging.h>

#include "common/sasl/jaas.h"
#include "common/sasl/plain.h"
#include "common/sasl/scram.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

constexpr char kNonce[] = "server";
constexpr char kUser[] = "user";

const sasl::ScramKeys& KeysOfUser() {
  static const sasl::ScramKeys keys = sasl::KeysOf(
      sasl::Hash::kSha256,
      sasl::Pbkdf2(sasl::Hash::kSha256, "pencil", "salt", 4096), "salt", 4096);
  return keys;
}

sasl::Scram MakeServer() {
  sasl::Scram::Options options;
  options.nonce = kNonce;
  options.secret = "secret";
  options.find = [](const std::string& user) -> std::optional<sasl::ScramKeys> {
    if (user != kUser) return std::nullopt;
    return KeysOfUser();
  };
  return sasl::Scram(std::move(options));
}

// --- scram: the first message, a line feed, the last one

void RunScram(std::string_view input) {
  sasl::Scram server = MakeServer();
  const size_t split = input.find('\n');
  const auto first = server.Evaluate(input.substr(0, split));
  if (!first || split == std::string_view::npos) return;
  CHECK(first->find(kNonce) != std::string::npos);
  CHECK_LE(first->size(), 2'200u);
  if (server.Evaluate(input.substr(split + 1))) {
    CHECK(server.complete());
    CHECK_EQ(server.user(), kUser) << "nobody else has a password";
  } else {
    CHECK(!server.complete());
  }
}

std::vector<std::string> ScramCorpus() {
  const std::string bare = "n=user,r=abc";
  sasl::Scram server = MakeServer();
  const std::string first = *server.Evaluate("n,," + bare);
  const std::string without_proof = std::string("c=biws,r=abc") + kNonce;
  constexpr auto kHash = sasl::Hash::kSha256;
  std::string proof = sasl::Hmac(
      kHash, sasl::Pbkdf2(kHash, "pencil", "salt", 4096), "Client Key");
  const std::string signature =
      sasl::Hmac(kHash, sasl::Digest(kHash, proof),
                 bare + "," + first + "," + without_proof);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature[i];
  const std::string final = without_proof + ",p=" + sasl::ToBase64(proof);
  sasl::Scram again = MakeServer();
  CHECK(again.Evaluate("n,," + bare));
  CHECK(again.Evaluate(final)) << "the corpus does not log in";
  return {"n,," + bare + "\n" + final,
          "y,a=us=2Cer,n=us=2Cer,r=abc,tokenauth=true\n" + final};
}

// --- plain

void RunPlain(std::string_view input) {
  static const sasl::PlainUsers users = [] {
    sasl::PlainUsers all;
    all.Add(kUser, "pencil");
    return all;
  }();
  sasl::Plain plain(users);
  if (!plain.Evaluate(input)) return;
  CHECK(plain.complete());
  CHECK(input.ends_with(std::string_view("\0user\0pencil", 12)));
}

std::vector<std::string> PlainCorpus() {
  return {std::string("\0user\0pencil", 12),
          std::string("user\0user\0pencil", 16)};
}

// --- jaas

void RunJaas(std::string_view input) {
  const auto modules = sasl::ParseJaas(input);
  if (!modules) return;
  CHECK(!modules->empty());
  for (const auto& module : *modules)
    CHECK_LE(module.name.size(), input.size());
}

std::vector<std::string> JaasCorpus() {
  return {
      "org.apache.kafka.common.security.plain.PlainLoginModule required\n"
      "  username=\"admin\" password='x' /* a comment; */\n"
      "  user_admin=\"a\\\"b\" // another\n  user_b=plain.word;",
      "A required; B optional x=y;"};
}

const Added kScram({"scram", RunScram, ScramCorpus});
const Added kPlain({"plain", RunPlain, PlainCorpus});
const Added kJaas({"jaas", RunJaas, JaasCorpus});

}  // namespace
}  // namespace tidemark::fuzz
