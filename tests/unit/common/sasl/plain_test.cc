#include "common/sasl/plain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::sasl {
namespace {

using testing::HasSubstr;

std::string Message(const std::string& authorization, const std::string& user,
                    const std::string& password) {
  return authorization + '\0' + user + '\0' + password;
}

class PlainTest : public testing::Test {
 protected:
  PlainTest() {
    users_.Add("alice", "alice-secret");
    users_.Add("bob", "b");
  }
  tl::expected<std::string, Refusal> Say(const std::string& message) {
    Plain plain(users_);
    auto said = plain.Evaluate(message);
    EXPECT_EQ(plain.complete(), said.has_value());
    if (said) user_ = plain.user();
    return said;
  }
  PlainUsers users_;
  std::string user_;
};

TEST_F(PlainTest, ThePasswordCounts) {
  EXPECT_EQ(Say(Message("", "alice", "alice-secret")), "");
  EXPECT_EQ(user_, "alice");
  EXPECT_EQ(Say(Message("bob", "bob", "b")), "");
  const auto wrong = Say(Message("", "alice", "b"));
  const auto unknown = Say(Message("", "carol", "b"));
  ASSERT_TRUE(!wrong && !unknown);
  EXPECT_EQ(wrong.error().why, unknown.error().why);
  EXPECT_TRUE(wrong.error().for_client && unknown.error().for_client);
  EXPECT_EQ(wrong.error().why,
            "Authentication failed: Invalid username or password");
}

TEST_F(PlainTest, NobodyIsSomebodyElse) {
  const auto other = Say(Message("bob", "alice", "alice-secret"));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().why, HasSubstr("authorization id"));
  // Who does not know the password learns nothing of it.
  EXPECT_EQ(Say(Message("bob", "alice", "x")).error().why,
            "Authentication failed: Invalid username or password");
}

TEST_F(PlainTest, WhatIsNoMessage) {
  for (const std::string& bad :
       {std::string(), std::string("alice"), std::string("\0alice", 6),
        Message("", "alice", std::string("b\0c", 3)), Message("", "", "x"),
        Message("", "alice", ""), Message("", "\xff", "b"),
        Message("", std::string(2000, 'a'), "b"), std::string(5, '\0')}) {
    EXPECT_FALSE(Say(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidemark::sasl
