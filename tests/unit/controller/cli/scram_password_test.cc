#include "controller/cli/scram_password.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tidemark::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(AddScram, IsKafkas) {
  const auto one =
      ParseAddScram("SCRAM-SHA-256=[name=alice,password=alice-secret]");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->user, "alice");
  EXPECT_EQ(one->mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(one->iterations, 4096);
  const std::string salted = sasl::Pbkdf2(sasl::Hash::kSha256, "alice-secret",
                                          one->salt, one->iterations);
  EXPECT_EQ(one->stored_key,
            sasl::KeysOf(sasl::Hash::kSha256, salted, "", 1).stored_key);
  const auto two = ParseAddScram(
      "SCRAM-SHA-512=[name=\"bob\", iterations=8192, salt=\"c2FsdA==\", "
      "password=b]");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->salt, "salt");
  EXPECT_EQ(two->user, "bob");
  EXPECT_EQ(two->iterations, 8192);
  const std::string bobs = sasl::Pbkdf2(sasl::Hash::kSha512, "b", "salt", 8192);
  const auto three = ParseAddScram(
      "SCRAM-SHA-512=[name=bob,iterations=8192,salt=c2FsdA==,"
      "saltedpassword=" +
      sasl::ToBase64(bobs) + "]");
  ASSERT_TRUE(three) << three.error().message;
  EXPECT_EQ(three->stored_key, two->stored_key);
  EXPECT_EQ(three->server_key, two->server_key);
}

TEST(AddScram, WhatIsNoneIsRefusedWithoutAWordOfIt) {
  for (const char* bad :
       {"", "SCRAM-SHA-256", "SCRAM-SHA-256=[name=a,password=secret",
        "SCRAM-SHA-1=[name=a,password=secret]",
        "PLAIN=[name=a,password=secret]", "SCRAM-SHA-256=[password=secret]",
        "SCRAM-SHA-256=[name=,password=secret]", "SCRAM-SHA-256=[name=a]",
        "SCRAM-SHA-256=[name=a,secret]",
        "SCRAM-SHA-256=[name=a,password=secret,password=secret]",
        "SCRAM-SHA-256=[name=a,password=secret,iterations=4095]",
        "SCRAM-SHA-256=[name=a,password=secret,iterations=16385]",
        "SCRAM-SHA-256=[name=a,password=secret,iterations=secret]",
        "SCRAM-SHA-256=[name=a,password=secret,salt=secret!]",
        "SCRAM-SHA-256=[name=a,password=secret,saltedpassword=c2FsdA==]",
        "SCRAM-SHA-256=[name=a,saltedpassword=c2FsdA==,salt=c2FsdA==]",
        "SCRAM-SHA-256=[name=a,password=secret,what=secret]"}) {
    const auto parsed = ParseAddScram(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("secret"))) << bad;
  }
}

TEST(Password, ComesFromAFile) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("tidemark-password-" + std::to_string(getpid())))
                               .string();
  std::ofstream(path) << "one\r\ntwo\n";
  EXPECT_EQ(ReadPassword(path), "one");
  std::ofstream(path) << "";
  EXPECT_FALSE(ReadPassword(path));
  std::filesystem::remove(path);
  EXPECT_FALSE(ReadPassword(path));
}

TEST(Password, HasASaltOfItsOwn) {
  const auto a = KeysOfPassword(sasl::Hash::kSha256, "x", 4096);
  const auto b = KeysOfPassword(sasl::Hash::kSha256, "x", 4096);
  EXPECT_NE(a.salt, b.salt);
  EXPECT_NE(a.stored_key, b.stored_key);
}

}  // namespace
}  // namespace tidemark::cli
