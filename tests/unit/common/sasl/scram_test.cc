#include "common/sasl/scram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tidemark::sasl {
namespace {

using testing::HasSubstr;

constexpr char kPassword[] = "pencil";

ScramKeys KeysFor(Hash hash, const std::string& password,
                  const std::string& salt, int32_t iterations = 4096) {
  return KeysOf(hash, Pbkdf2(hash, password, salt, iterations), salt,
                iterations);
}

// A server that knows these, and a client of it.
struct Servers {
  Hash hash = Hash::kSha256;
  std::map<std::string, ScramKeys> users = {
      {"user", KeysFor(Hash::kSha256, kPassword, "salt of user")}};
  std::string secret = "nobody knows this one";
  int made = 0;

  Scram Make(std::string nonce = {}) {
    Scram::Options options;
    options.hash = hash;
    options.nonce = nonce.empty() ? "server" + std::to_string(made++) : nonce;
    options.secret = secret;
    options.find = [this](const std::string& user) -> std::optional<ScramKeys> {
      const auto found = users.find(user);
      if (found == users.end()) return std::nullopt;
      return found->second;
    };
    return Scram(std::move(options));
  }
};

struct ServerFirst {
  std::string nonce, salt;
  int iterations = 0;
};

ServerFirst Read(const std::string& text) {
  ServerFirst out;
  const size_t salt = text.find(",s="), count = text.find(",i=");
  out.nonce = text.substr(2, salt - 2);
  out.salt = *FromBase64(text.substr(salt + 3, count - salt - 3));
  out.iterations = std::stoi(text.substr(count + 3));
  return out;
}

// RFC 5802, section 3, written down once more, as a client has it.
std::string FinalOf(Hash hash, const std::string& bare,
                    const std::string& server_first,
                    const std::string& password,
                    const std::string& binding = "biws",
                    const std::string& before_nonce = {}) {
  const ServerFirst first = Read(server_first);
  const std::string salted =
      Pbkdf2(hash, password, first.salt, first.iterations);
  const std::string without_proof =
      "c=" + binding + ",r=" + before_nonce + first.nonce;
  std::string proof = Hmac(hash, salted, "Client Key");
  const std::string signature =
      Hmac(hash, Digest(hash, proof),
           bare + "," + server_first + "," + without_proof);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature[i];
  return without_proof + ",p=" + ToBase64(proof);
}

tl::expected<std::string, Refusal> LogIn(Scram& server, Hash hash,
                                         const std::string& bare,
                                         const std::string& password) {
  const auto first = server.Evaluate("n,," + bare);
  if (!first) return first;
  return server.Evaluate(FinalOf(hash, bare, *first, password));
}

// The example of RFC 7677.
TEST(Scram, SpeaksAsTheRfcHasIt) {
  Servers servers;
  servers.users["user"] = KeysFor(Hash::kSha256, kPassword,
                                  *FromBase64("W22ZaJ0SNY7soEsUEjb6gQ=="));
  Scram scram = servers.Make("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  EXPECT_EQ(scram.Evaluate("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  EXPECT_FALSE(scram.complete());
  EXPECT_EQ(scram.Evaluate(
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  EXPECT_TRUE(scram.complete());
  EXPECT_EQ(scram.user(), "user");
  EXPECT_FALSE(scram.Evaluate("n,,n=user,r=x")) << "it is over";
}

TEST(Scram, BothHashes) {
  Servers servers;
  servers.hash = Hash::kSha512;
  servers.users["user"] = KeysFor(Hash::kSha512, kPassword, "other salt", 8192);
  Scram good = servers.Make();
  EXPECT_TRUE(LogIn(good, Hash::kSha512, "n=user,r=abc", kPassword));
  EXPECT_TRUE(good.complete());
  Scram bad = servers.Make();
  const auto refused = LogIn(bad, Hash::kSha512, "n=user,r=abc", "pencils");
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().for_client);
  EXPECT_FALSE(bad.complete());
}

// Kafka lets it pass as well.
TEST(Scram, OldLibrdkafkasPutTheirNonceInFrontTwice) {
  Servers servers;
  Scram scram = servers.Make();
  const auto first = scram.Evaluate("n,,n=user,r=abc");
  EXPECT_TRUE(scram.Evaluate(FinalOf(Hash::kSha256, "n=user,r=abc",
                                     first.value(), kPassword, "biws", "abc")));
}

TEST(Scram, NamesAreUnescaped) {
  Servers servers;
  servers.users["a,b=c"] = KeysFor(Hash::kSha256, kPassword, "x");
  Scram scram = servers.Make();
  EXPECT_TRUE(LogIn(scram, Hash::kSha256, "n=a=2Cb=3Dc,r=abc", kPassword));
  EXPECT_EQ(scram.user(), "a,b=c");
}

// Nobody can tell by the first answer, nor by what is said in the end, who is
// known.
TEST(Scram, SomebodyUnknownIsAnsweredLikeSomebodyKnown) {
  Servers servers;
  Scram known = servers.Make("s"), unknown = servers.Make("s");
  Scram again = servers.Make("s"), other = servers.Make("s");
  const auto a = known.Evaluate("n,,n=user,r=abc");
  const auto b = unknown.Evaluate("n,,n=nobody,r=abc");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(Read(*a).nonce, Read(*b).nonce);
  EXPECT_EQ(Read(*a).iterations, Read(*b).iterations);
  EXPECT_EQ(again.Evaluate("n,,n=nobody,r=abc"), b) << "the same salt again";
  EXPECT_NE(other.Evaluate("n,,n=nobody2,r=abc"), b);
  const auto refused =
      unknown.Evaluate(FinalOf(Hash::kSha256, "n=nobody,r=abc", *b, "x"));
  const auto wrong =
      known.Evaluate(FinalOf(Hash::kSha256, "n=user,r=abc", *a, "x"));
  ASSERT_TRUE(!refused && !wrong);
  EXPECT_EQ(refused.error().for_client, wrong.error().for_client);
  servers.secret = "another";
  Scram elsewhere = servers.Make("s");
  EXPECT_NE(elsewhere.Evaluate("n,,n=nobody,r=abc"), b);
}

TEST(Scram, TokensAreNobodys) {
  Servers servers;
  Scram scram = servers.Make();
  EXPECT_FALSE(
      LogIn(scram, Hash::kSha256, "n=user,r=abc,tokenauth=true", kPassword));
  Scram other = servers.Make();
  EXPECT_TRUE(LogIn(other, Hash::kSha256, "n=user,r=abc,x=y", kPassword))
      << "other extensions are passed over, as in Kafka";
}

TEST(Scram, ReplayedAndTamperedMessagesAreRefused) {
  Servers servers;
  Scram first = servers.Make();
  const std::string bare = "n=user,r=abc";
  const auto said = first.Evaluate("n,," + bare);
  const std::string final =
      FinalOf(Hash::kSha256, bare, said.value(), kPassword);
  ASSERT_TRUE(first.Evaluate(final));
  // To a server that has another nonce.
  Scram second = servers.Make();
  ASSERT_TRUE(second.Evaluate("n,," + bare));
  EXPECT_FALSE(second.Evaluate(final));
  // Every byte of the last message counts.
  for (size_t i = 0; i < final.size(); ++i) {
    std::string changed = final;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    Scram server = servers.Make("server0");
    ASSERT_EQ(server.Evaluate("n,," + bare), said);
    EXPECT_FALSE(server.Evaluate(changed)) << i;
    EXPECT_FALSE(server.complete());
  }
  // What came first was another header, or another user.
  for (const char* other : {"y,,n=user,r=abc", "n,a=user,n=user,r=abc"}) {
    Scram server = servers.Make("server0");
    ASSERT_TRUE(server.Evaluate(other));
    EXPECT_FALSE(server.Evaluate(final)) << other;
  }
  Scram honest = servers.Make();
  const auto y = honest.Evaluate("y,," + bare);
  EXPECT_TRUE(honest.Evaluate(
      FinalOf(Hash::kSha256, bare, y.value(), kPassword, ToBase64("y,,"))));
}

TEST(Scram, WhoIsDeletedOrChangedMeanwhileIsRefused) {
  for (const bool deleted : {true, false}) {
    Servers servers;
    Scram scram = servers.Make();
    const auto first = scram.Evaluate("n,,n=user,r=abc");
    ASSERT_TRUE(first);
    deleted ? servers.users.clear()
            : (void)(servers.users["user"] =
                         KeysFor(Hash::kSha256, "new", "salt of user"));
    EXPECT_FALSE(scram.Evaluate(
        FinalOf(Hash::kSha256, "n=user,r=abc", *first, kPassword)));
    EXPECT_FALSE(scram.complete());
  }
}

TEST(Scram, WhatIsKeptOfAStrangerIsLittle) {
  Servers servers;
  EXPECT_TRUE(
      servers.Make().Evaluate("n,,n=user,r=abc,e=" + std::string(8000, 'x')));
  EXPECT_FALSE(
      servers.Make().Evaluate("n,,n=user,r=abc,e=" + std::string(8192, 'x')));
}

TEST(Scram, WhatIsNoFirstMessage) {
  Servers servers;
  for (const char* bad :
       {"", "n", "n,", "n,,", "n,,n=", "n,,n=user",
        "n,,n=user,r=", "x,,n=u,r=a", "p=tls-unique,,n=user,r=abc",
        "n,,m=ext,n=user,r=abc", "n,,n=a=2c,r=abc", "n,,n=a=,r=abc",
        "n,,n=user,r=a b", "n,,n=\xff,r=abc", "n,a=,n=user,r=a",
        "n,b=x,n=user,r=abc", "n,a=other,n=user,r=abc"}) {
    Scram scram = servers.Make();
    EXPECT_FALSE(scram.Evaluate(bad)) << bad;
  }
  Scram longest = servers.Make();
  EXPECT_FALSE(longest.Evaluate("n,,n=" + std::string(2000, 'u') + ",r=abc"));
  Scram nonce = servers.Make();
  EXPECT_FALSE(nonce.Evaluate("n,,n=user,r=" + std::string(2000, 'u')));
}

// What the RFC's grammar does not have never logs in, whatever it is.
TEST(Scram, AnyBytesAreRefused) {
  std::mt19937 random(7);
  Servers servers;
  const std::string alphabet("n,a=userrcpbiws\0\xff=2C3D", 23);
  for (int i = 0; i < 20'000; ++i) {
    Scram scram = servers.Make();
    for (int step = 0; step < 3; ++step) {
      std::string text(random() % 40, '\0');
      for (char& c : text) c = alphabet[random() % alphabet.size()];
      if (step == 0 && random() % 2 == 0) text = "n,,n=user,r=" + text;
      (void)scram.Evaluate(text);
      ASSERT_FALSE(scram.complete());
    }
  }
}

TEST(Text, IsThatOfKafkasTools) {
  EXPECT_EQ(TextOf(std::string(17, '\0')), "0");
  EXPECT_EQ(TextOf(std::string(16, '\0') + "\x24"), "10");
  // 2^130 - 1.
  EXPECT_EQ(TextOf(std::string(17, '\xff')), "1omfro7zwmumr3umxudzyj6scf");
}

TEST(Base64, IsStrict) {
  EXPECT_EQ(FromBase64(""), "");
  EXPECT_EQ(FromBase64("YQ=="), "a");
  EXPECT_EQ(FromBase64(ToBase64("abcd")), "abcd");
  for (const char* bad : {"YQ", "YQ=", "Y===", "YQ==YQ==", " YQ=", "YQ=\n",
                          "Y=Q=", "YQ==\n", "===="}) {
    EXPECT_EQ(FromBase64(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace tidemark::sasl
