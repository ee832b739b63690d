#include "common/authorization/authorizer.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <ctime>

#include "common/authorization/settings.h"

namespace tidemark::authorization {
namespace {

using enum metadata::AclOperation;
using metadata::AclOperation;
using metadata::AclPattern;
using metadata::AclPermission;
using metadata::AclResource;
using metadata::AclsImage;
using testing::HasSubstr;

constexpr auto kLiteral = AclPattern::kLiteral;
constexpr auto kPrefixed = AclPattern::kPrefixed;

class Lists {
 public:
  Lists& Add(AclPermission permission, const std::string& principal,
             AclOperation operation, AclPattern pattern,
             const std::string& name, const std::string& host = "*",
             AclResource type = AclResource::kTopic) {
    metadata::v1::SetAcl record;
    Uuid id;
    ++next_;
    id.bytes[0] = static_cast<uint8_t>(next_);
    id.bytes[1] = static_cast<uint8_t>(next_ >> 8);
    id.bytes[15] = 1;
    record.set_id(id.ToBytes());
    record.set_resource_type(static_cast<int32_t>(type));
    record.set_resource_name(name);
    record.set_pattern_type(static_cast<int32_t>(pattern));
    record.set_principal(principal);
    record.set_host(host);
    record.set_operation(static_cast<int32_t>(operation));
    record.set_permission(static_cast<int32_t>(permission));
    const Status applied = acls.Apply(record);
    EXPECT_TRUE(applied) << applied.error().message;
    return *this;
  }
  template <class... Rest>
  Lists& Allow(Rest... rest) {
    return Add(AclPermission::kAllow, rest...);
  }
  template <class... Rest>
  Lists& Deny(Rest... rest) {
    return Add(AclPermission::kDeny, rest...);
  }

  AclsImage acls;

 private:
  int next_ = 0;
};

bool May(const Lists& lists, AclOperation operation, std::string_view topic,
         std::string_view principal = "User:a",
         std::string_view host = "10.0.0.1",
         const Authorizer& authorizer = Authorizer({})) {
  return authorizer
      .Authorize(lists.acls, {principal, host},
                 {operation, AclResource::kTopic, topic})
      .allowed;
}

TEST(Authorizer, NothingIsAllowedThatNobodyHasAllowed) {
  Lists lists;
  EXPECT_FALSE(May(lists, kRead, "t"));
  lists.Allow("User:a", kRead, kLiteral, "t");
  EXPECT_TRUE(May(lists, kRead, "t"));
  EXPECT_FALSE(May(lists, kWrite, "t"));
  EXPECT_FALSE(May(lists, kRead, "t2"));
  EXPECT_FALSE(May(lists, kRead, "T"));
  EXPECT_FALSE(May(lists, kRead, "t", "User:b"));
  EXPECT_FALSE(May(lists, kRead, "t", "Group:a"));
  EXPECT_FALSE(Authorizer({})
                   .Authorize(lists.acls, {"User:a", "h"},
                              {kRead, AclResource::kGroup, "t"})
                   .allowed);
}

TEST(Authorizer, PatternsAreLiteralPrefixedOrAll) {
  Lists lists;
  lists.Allow("User:a", kRead, kPrefixed, "ord")
      .Allow("User:b", kRead, kLiteral, "*")
      .Allow("User:c", kRead, kPrefixed, "*");
  EXPECT_TRUE(May(lists, kRead, "orders"));
  EXPECT_TRUE(May(lists, kRead, "ord"));
  EXPECT_FALSE(May(lists, kRead, "or"));
  EXPECT_FALSE(May(lists, kRead, "x-ord"));
  EXPECT_TRUE(May(lists, kRead, "anything", "User:b"));
  EXPECT_FALSE(May(lists, kRead, "anything", "User:c")) << "a prefix \"*\"";
}

TEST(Authorizer, RulesOfEveryoneAndOfHosts) {
  Lists lists;
  lists.Allow("User:*", kRead, kLiteral, "open")
      .Allow("User:a", kRead, kLiteral, "near", "10.0.0.1");
  EXPECT_TRUE(May(lists, kRead, "open", "User:whoever"));
  EXPECT_TRUE(May(lists, kRead, "near"));
  EXPECT_FALSE(May(lists, kRead, "near", "User:a", "10.0.0.2"));
}

TEST(Authorizer, ADenialIsStrongerWhereverItIs) {
  for (const auto& [pattern, name] :
       std::vector<std::pair<AclPattern, std::string>>{
           {kLiteral, "orders"}, {kPrefixed, "o"}, {kLiteral, "*"}}) {
    for (const char* principal : {"User:a", "User:*"}) {
      Lists lists;
      lists.Allow("User:a", kAll, kLiteral, "orders")
          .Allow("User:a", kAll, kPrefixed, "ord")
          .Allow("User:*", kAll, kLiteral, "*")
          .Deny(principal, kRead, pattern, name);
      EXPECT_FALSE(May(lists, kRead, "orders")) << name << principal;
      EXPECT_TRUE(May(lists, kWrite, "orders")) << name << principal;
      EXPECT_TRUE(May(lists, kDescribe, "orders"))
          << "to be denied to read is not to be denied to describe";
    }
  }
  Lists lists;
  lists.Allow("User:a", kRead, kLiteral, "t")
      .Deny("User:a", kRead, kLiteral, "t", "10.0.0.9");
  EXPECT_TRUE(May(lists, kRead, "t"));
  EXPECT_FALSE(May(lists, kRead, "t", "User:a", "10.0.0.9"));
}

TEST(Authorizer, OperationsImplyOthersWhereTheyAreAllowed) {
  for (const AclOperation operation :
       {kRead, kWrite, kDelete, kAlter, kDescribe, kAll}) {
    Lists lists;
    lists.Allow("User:a", operation, kLiteral, "t");
    EXPECT_TRUE(May(lists, kDescribe, "t")) << Name(operation);
    EXPECT_EQ(May(lists, kDescribeConfigs, "t"), operation == kAll);
  }
  Lists lists;
  lists.Allow("User:a", kAlterConfigs, kLiteral, "t")
      .Allow("User:a", kCreate, kLiteral, "u");
  EXPECT_TRUE(May(lists, kDescribeConfigs, "t"));
  EXPECT_FALSE(May(lists, kDescribe, "t"));
  EXPECT_FALSE(May(lists, kDescribe, "u"));
}

TEST(Authorizer, SuperUsersMayEverything) {
  const auto super =
      Authorizer::ParseSuperUsers("User:root; User:CN=x,O=y ;").value();
  EXPECT_EQ(super.size(), 2u);
  const Authorizer authorizer({super, false});
  Lists lists;
  lists.Deny("User:root", kAll, kLiteral, "*");
  EXPECT_TRUE(May(lists, kRead, "t", "User:root", "h", authorizer));
  EXPECT_TRUE(May(lists, kRead, "t", "User:CN=x,O=y", "h", authorizer));
  EXPECT_FALSE(May(lists, kRead, "t", "User:roo", "h", authorizer));
  for (const char* bad : {"root", ":x", "User:", "User:a;b"}) {
    EXPECT_FALSE(Authorizer::ParseSuperUsers(bad)) << bad;
  }
}

TEST(Authorizer, WhatNoRuleIsAboutMayBeEverybodys) {
  const Authorizer open({{}, true});
  Lists lists;
  lists.Allow("User:b", kRead, kLiteral, "t");
  EXPECT_TRUE(May(lists, kRead, "other", "User:a", "h", open));
  EXPECT_FALSE(May(lists, kRead, "t", "User:a", "h", open));
  lists.Allow("User:b", kRead, kPrefixed, "oth");
  EXPECT_FALSE(May(lists, kRead, "other", "User:a", "h", open));
  lists.Allow("User:b", kRead, kLiteral, "*");
  EXPECT_FALSE(May(lists, kRead, "zzz", "User:a", "h", open));
}

TEST(Authorizer, SaysByWhichRule) {
  Lists lists;
  lists.Allow("User:a", kRead, kPrefixed, "ord")
      .Deny("User:*", kWrite, kLiteral, "*", "10.0.0.1");
  const auto text = [&](AclOperation operation, const char* principal) {
    const Authorizer authorizer({{"User:root"}, false});
    return ToText(
        authorizer.Authorize(lists.acls, {principal, "10.0.0.1"},
                             {operation, AclResource::kTopic, "orders"}),
        AclResource::kTopic);
  };
  EXPECT_EQ(text(kRead, "User:a"),
            "TOPIC:PREFIXED:ord User:a ALLOW READ from *");
  EXPECT_EQ(text(kWrite, "User:a"),
            "TOPIC:LITERAL:* User:* DENY WRITE from 10.0.0.1");
  EXPECT_EQ(text(kRead, "User:b"), "DefaultDeny");
  EXPECT_EQ(text(kWrite, "User:root"), "SuperUser");
}

TEST(Authorizer, WhoMayWriteToAnyTopic) {
  const auto any = [](const Lists& lists, const Authorizer& authorizer) {
    return authorizer.AuthorizeAny(lists.acls, {"User:a", "h"}, kWrite,
                                   AclResource::kTopic);
  };
  const Authorizer plain({});
  EXPECT_FALSE(any(Lists(), plain));
  EXPECT_TRUE(any(Lists(), Authorizer({{}, true})));
  EXPECT_TRUE(any(Lists(), Authorizer({{"User:a"}, false})));
  EXPECT_TRUE(any(Lists().Allow("User:a", kWrite, kLiteral, "t"), plain));
  EXPECT_TRUE(any(Lists().Allow("User:*", kAll, kPrefixed, "t"), plain));
  EXPECT_FALSE(any(Lists().Allow("User:a", kRead, kLiteral, "t"), plain));
  EXPECT_FALSE(any(Lists().Allow("User:a", kWrite, kLiteral, "t", "g"), plain));
  EXPECT_FALSE(any(Lists()
                       .Allow("User:a", kWrite, kLiteral, "t")
                       .Deny("User:a", kWrite, kLiteral, "t"),
                   plain));
  EXPECT_FALSE(any(Lists()
                       .Allow("User:a", kWrite, kLiteral, "topic")
                       .Deny("User:a", kAll, kPrefixed, "to"),
                   plain));
  EXPECT_TRUE(any(Lists()
                      .Allow("User:a", kWrite, kPrefixed, "t")
                      .Deny("User:a", kWrite, kPrefixed, "topic"),
                  plain));
  EXPECT_FALSE(any(Lists()
                       .Allow("User:a", kWrite, kLiteral, "t")
                       .Deny("User:a", kWrite, kLiteral, "*"),
                   plain));
}

TEST(Authorizer, SettingsNameKafkasAuthorizerOrNone) {
  const auto read = [](std::vector<std::string> overrides) {
    Config::Sources sources;
    sources.overrides = std::move(overrides);
    return ReadSettings(*Config::Load(ConfigKeys(), sources));
  };
  constexpr char kOn[] =
      "authorizer.class.name="
      "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
  EXPECT_FALSE(read({}).value());
  EXPECT_FALSE(read({"authorizer.class.name="}).value());
  const auto on = read({kOn, "super.users=User:a;User:b"}).value();
  ASSERT_TRUE(on);
  EXPECT_EQ(on->super_users.size(), 2u);
  EXPECT_FALSE(on->allow_everyone);
  EXPECT_TRUE(read({kOn, "allow.everyone.if.no.acl.found=true"})
                  .value()
                  ->allow_everyone);
  // Nobody is left unprotected who thinks otherwise.
  EXPECT_THAT(read({"authorizer.class.name=a.B"}).error().message,
              HasSubstr("a.B"));
  EXPECT_THAT(read({"super.users=User:a"}).error().message,
              HasSubstr("super.users"));
  EXPECT_FALSE(read({"allow.everyone.if.no.acl.found=false"}));
  EXPECT_TRUE(read({"allow.everyone.if.no.acl.found=true"}));
  EXPECT_FALSE(read({kOn, "super.users=a"}));
}

// 10,000 rules: of topics of their own, of prefixes, and of all users of one
// topic. The bound is far above what is printed, for machines that are busy.
TEST(Authorizer, AQuestionToTenThousandRulesIsShort) {
  Lists lists;
  constexpr int kEach = 3333;
  for (int i = 0; i < kEach; ++i) {
    const std::string n = std::to_string(i);
    lists.Allow("User:u" + n, kRead, kLiteral, "topic-of-a-team-" + n)
        .Allow("User:u" + n, kWrite, kPrefixed, "prefix-of-a-team-" + n + "-")
        .Allow("User:u" + n, kRead, kLiteral, "everybodys-topic");
  }
  lists.Deny("User:*", kWrite, kLiteral, "*", "10.9.9.9");
  const Authorizer authorizer({{"User:admin"}, false});
  struct Case {
    const char* what;
    AclOperation operation;
    std::string prefix, suffix;
    bool own;
  };
  for (const Case& one : std::vector<Case>{
           {"literal", kRead, "topic-of-a-team-", "", true},
           {"prefixed", kWrite, "prefix-of-a-team-", "-orders", true},
           {"of all users", kRead, "everybodys-topic", "", false},
           {"nobody's", kRead, "prefix-of-no-team-", "", true}}) {
    std::vector<std::pair<std::string, std::string>> questions;
    for (int i = 0; i < kEach; i += 7) {
      const std::string n = std::to_string(i);
      questions.emplace_back("User:u" + n,
                             one.prefix + (one.own ? n + one.suffix : ""));
    }
    constexpr int kRounds = 200;
    int allowed = 0;
    const std::clock_t began = std::clock();
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& [principal, topic] : questions) {
        allowed += authorizer
                       .Authorize(lists.acls, {principal, "10.0.0.1"},
                                  {one.operation, AclResource::kTopic, topic})
                       .allowed;
      }
    }
    const double took =
        1e9 * static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    const double each = took / static_cast<double>(kRounds * questions.size());
    std::printf("10,000 rules, %s: %.0f ns a question\n", one.what, each);
    const bool nobodys = one.prefix == "prefix-of-no-team-";
    EXPECT_EQ(allowed,
              nobodys ? 0 : kRounds * static_cast<int>(questions.size()));
    EXPECT_LT(each, 20'000);
  }
}

}  // namespace
}  // namespace tidemark::authorization
