#include "common/sasl/jaas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tidemark::sasl {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(Jaas, IsAsInKafkasExamples) {
  const auto parsed = ParseJaas(
      "org.apache.kafka.common.security.plain.PlainLoginModule required \\\n"
      "  username=\"admin\" password='it''s' /* a comment; */\n"
      "  user_admin=\"admin-secret\" // another\n"
      "  user_a-b=\"q\\\"u\\\\o;te\\n\" user_plain=plain.word;");
  ASSERT_FALSE(parsed) << "a '\\' is no JAAS, and two strings no value";
  const auto good = ParseJaas(
      "org.apache.kafka.common.security.plain.PlainLoginModule required\n"
      "  username=\"admin\" password='admin-secret' /* a comment; */\n"
      "  user_admin=\"admin-secret\" // another\n"
      "  user_a-b=\"q\\\"u\\\\o;te\\n\" user_plain=plain.word debug=true;");
  ASSERT_TRUE(good) << good.error().message;
  ASSERT_EQ(good->size(), 1u);
  EXPECT_EQ(good->front().name,
            "org.apache.kafka.common.security.plain.PlainLoginModule");
  EXPECT_THAT(
      good->front().options,
      UnorderedElementsAre(
          Pair("username", "admin"), Pair("password", "admin-secret"),
          Pair("user_admin", "admin-secret"), Pair("user_a-b", "q\"u\\o;te\n"),
          Pair("user_plain", "plain.word"), Pair("debug", "true")));
}

TEST(Jaas, ModulesFollowEachOther) {
  const auto parsed = ParseJaas("A required; B OPTIONAL x=y;");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ((*parsed)[1].name, "B");
  EXPECT_THAT((*parsed)[1].options, UnorderedElementsAre(Pair("x", "y")));
}

TEST(Jaas, WhatIsNoneIsRefusedWithoutAWordOfIt) {
  for (const char* bad :
       {"", "   ", "A", "A required", "A maybe;", "A required x;",
        "A required x=;", "A required x=\"secret;", "A required x=y secret",
        "A required /* secret", "A required x 'secret';",
        "A required x=\"a\nb\";"}) {
    const auto parsed = ParseJaas(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("secret"))) << bad;
  }
}

TEST(Jaas, AnyTextEnds) {
  std::mt19937 random(3);
  const std::string alphabet = "Ab required;='\"\\/*\n#x.=;";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random() % 2 == 0 ? "A required " : "";
    for (size_t n = random() % 60; n > 0; --n) {
      text += alphabet[random() % alphabet.size()];
    }
    (void)ParseJaas(text);
  }
}

}  // namespace
}  // namespace tidemark::sasl
