// Access control lists in the image, and what can be found by its index.
#include <gmock/gmock.h>

#include "common/metadata/acl_messages.h"
#include "common/metadata/acls_image.h"
#include "common/metadata/apply.h"
#include "common/metadata/features.h"
#include "common/metadata/snapshot.h"

namespace tidemark::metadata {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Uuid IdOf(int n) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(n);
  id.bytes[1] = static_cast<uint8_t>(n >> 8);
  id.bytes[15] = 1;
  return id;
}

Acl Literal(const std::string& topic, const std::string& principal = "User:a",
            AclOperation operation = AclOperation::kRead,
            AclPermission permission = AclPermission::kAllow) {
  return {{AclResource::kTopic, AclPattern::kLiteral, topic},
          principal,
          "*",
          operation,
          permission};
}

Acl Prefixed(const std::string& topic) {
  Acl acl = Literal(topic);
  acl.resource.pattern = AclPattern::kPrefixed;
  return acl;
}

v1::Record SetRecord(const Acl& acl, int id) {
  v1::Record record;
  v1::SetAcl* set = record.mutable_set_acl();
  set->set_id(IdOf(id).ToBytes());
  set->set_resource_type(static_cast<int32_t>(acl.resource.type));
  set->set_resource_name(acl.resource.name);
  set->set_pattern_type(static_cast<int32_t>(acl.resource.pattern));
  set->set_principal(acl.principal);
  set->set_host(acl.host);
  set->set_operation(static_cast<int32_t>(acl.operation));
  set->set_permission(static_cast<int32_t>(acl.permission));
  return record;
}

v1::Record RemoveRecord(int id) {
  v1::Record record;
  record.mutable_remove_acl()->set_id(IdOf(id).ToBytes());
  return record;
}

class Acls : public testing::Test {
 protected:
  Status Apply(const v1::Record& record) {
    ImageBuilder builder(image_);
    TM_RETURN_IF_ERROR(builder.Apply(record, image_->offset() + 1));
    image_ = builder.Build(image_->offset() + 1, nullptr);
    return {};
  }
  void Add(const Acl& acl) { ASSERT_TRUE(Apply(SetRecord(acl, ++next_))); }

  std::vector<std::string> Found(const AclFilter& filter) {
    std::vector<std::string> out;
    image_->acls().EachMatching(filter, [&](const Uuid&, const Acl& acl) {
      out.push_back(acl.resource.name);
    });
    std::sort(out.begin(), out.end());
    return out;
  }

  ImagePtr image_ = std::make_shared<const Image>();
  int next_ = 0;
};

TEST_F(Acls, AreThereUntilTheyAreRemoved) {
  Add(Literal("t"));
  Add(Literal("t", "User:b"));
  EXPECT_EQ(image_->acls().size(), 2u);
  EXPECT_TRUE(image_->acls().contains(Literal("t")));
  EXPECT_FALSE(image_->acls().contains(Literal("u")));
  const ImagePtr before = image_;
  ASSERT_TRUE(Apply(RemoveRecord(1)));
  EXPECT_FALSE(image_->acls().contains(Literal("t")));
  EXPECT_TRUE(before->acls().contains(Literal("t"))) << "an image stays";
  EXPECT_NE(before->acls().state(), image_->acls().state());
  ASSERT_TRUE(Apply(RemoveRecord(2)));
  EXPECT_EQ(image_->acls().FindLiteral(AclResource::kTopic, "t"), nullptr);
  EXPECT_EQ(image_->acls().size(), 0u);
}

TEST_F(Acls, RecordsThatContradictTheImageAreRefused) {
  Add(Literal("t"));
  EXPECT_FALSE(Apply(SetRecord(Literal("t"), 7))) << "the same rule";
  EXPECT_FALSE(Apply(SetRecord(Literal("u"), 1))) << "the same id";
  EXPECT_FALSE(Apply(RemoveRecord(9)));
  EXPECT_FALSE(Apply(SetRecord(Literal(""), 8)));
  v1::Record record = SetRecord(Literal("u"), 8);
  record.mutable_set_acl()->set_operation(259);  // 3, in eight bits
  EXPECT_FALSE(Apply(record));
  record = SetRecord(Literal("u"), 8);
  record.mutable_set_acl()->set_pattern_type(2);
  EXPECT_FALSE(Apply(record));
  EXPECT_EQ(image_->acls().size(), 1u);
}

TEST_F(Acls, TheSnapshotHasThem) {
  for (int i = 0; i < 500; ++i) Add(Literal("t" + std::to_string(i)));
  Add(Prefixed("t"));
  const auto copy = FromRecords(ToRecords(*image_), image_->offset());
  ASSERT_TRUE(copy);
  EXPECT_TRUE(Equal(*image_, **copy));
  EXPECT_NE((*copy)->acls().FindLiteral(AclResource::kTopic, "t77"), nullptr);
  ASSERT_TRUE(Apply(RemoveRecord(3)));
  const auto less = FromRecords(ToRecords(*image_), (*copy)->offset());
  EXPECT_FALSE(Equal(**less, **copy));
}

TEST_F(Acls, NeedTheLevelOfSecurity) {
  EXPECT_EQ(RequiredLevel(SetRecord(Literal("t"), 1)), kSecurityLevel);
  EXPECT_EQ(RequiredLevel(RemoveRecord(1)), kSecurityLevel);
}

TEST_F(Acls, TheLongestPrefixIsFoundAndTheNextOnesBehindIt) {
  for (const char* prefix : {"f", "foo", "foob", "fz", "g", "foobars", "fa"}) {
    Add(Prefixed(prefix));
  }
  Add(Literal("foobar"));  // none
  const auto prefixes = [&](std::string_view name) {
    std::vector<std::string> out;
    size_t length = 0;
    std::string_view rest = name;
    while (image_->acls().FindPrefix(AclResource::kTopic, rest, &length)) {
      out.emplace_back(name.substr(0, length));
      rest = name.substr(0, length - 1);
    }
    return out;
  };
  EXPECT_THAT(prefixes("foobar"), ElementsAre("foob", "foo", "f"));
  EXPECT_THAT(prefixes("foob"), ElementsAre("foob", "foo", "f"));
  EXPECT_THAT(prefixes("fox"), ElementsAre("f"));
  EXPECT_THAT(prefixes("a"), IsEmpty());
  EXPECT_THAT(prefixes("zzz"), IsEmpty());
  EXPECT_THAT(prefixes("g"), ElementsAre("g"));
  size_t length = 0;
  EXPECT_EQ(image_->acls().FindPrefix(AclResource::kGroup, "foo", &length),
            nullptr);
}

TEST_F(Acls, FiltersFindWhatKafkasFind) {
  Add(Literal("orders"));
  Add(Literal("*"));
  Add(Prefixed("ord"));
  Add(Prefixed("x"));
  AclFilter any;
  EXPECT_EQ(Found(any).size(), 4u);
  AclFilter match;
  match.type = AclResource::kTopic;
  match.pattern = AclPattern::kMatch;
  match.name = "orders";
  EXPECT_THAT(Found(match), ElementsAre("*", "ord", "orders"));
  AclFilter named = match;
  named.pattern = AclPattern::kAny;
  EXPECT_THAT(Found(named), ElementsAre("orders"));
  named.pattern = AclPattern::kPrefixed;
  EXPECT_THAT(Found(named), IsEmpty());
  named.name = "ord";
  EXPECT_THAT(Found(named), ElementsAre("ord"));
  AclFilter of_group;
  of_group.type = AclResource::kGroup;
  EXPECT_THAT(Found(of_group), IsEmpty());
  AclFilter by;
  by.principal = "User:b";
  EXPECT_THAT(Found(by), IsEmpty());
  by.principal = "User:a";
  by.operation = AclOperation::kWrite;
  EXPECT_THAT(Found(by), IsEmpty());
  by.operation = AclOperation::kRead;
  by.host = "*";
  by.permission = AclPermission::kDeny;
  EXPECT_THAT(Found(by), IsEmpty());
  by.permission = AclPermission::kAny;
  EXPECT_EQ(Found(by).size(), 4u);
}

TEST_F(Acls, AFilterThatNamesAPatternLooksAtNoOthers) {
  for (int i = 0; i < 100; ++i) Add(Literal("t" + std::to_string(i)));
  AclFilter filter;
  filter.type = AclResource::kTopic;
  filter.pattern = AclPattern::kLiteral;
  filter.name = "t5";
  size_t found = 0;
  EXPECT_EQ(image_->acls().EachMatching(filter,
                                        [&](const Uuid& id, const Acl&) {
                                          ++found;
                                          EXPECT_EQ(id, IdOf(6));
                                        }),
            1u);
  EXPECT_EQ(found, 1u);
}

TEST(Acl, WhatCanBeNoneIsRefusedInKafkasWords) {
  const auto why = [](Acl acl) {
    const Status checked = CheckAcl(acl);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(why(Literal("t")), "");
  Acl acl = Literal("t");
  acl.resource.type = AclResource::kAny;
  EXPECT_EQ(why(acl), "Invalid resourceType ANY");
  acl = Literal("t");
  acl.resource.pattern = AclPattern::kMatch;
  EXPECT_EQ(why(acl), "Invalid patternType MATCH");
  acl = Literal("t");
  acl.operation = static_cast<AclOperation>(99);
  EXPECT_EQ(why(acl), "Invalid operation UNKNOWN");
  acl.operation = static_cast<AclOperation>(-1);
  EXPECT_EQ(why(acl), "Invalid operation UNKNOWN");
  acl = Literal("t");
  acl.permission = AclPermission::kAny;
  EXPECT_EQ(why(acl), "Invalid permissionType ANY");
  EXPECT_EQ(why(Literal("")), "Invalid empty resource name");
  acl = Literal("t");
  acl.resource.type = AclResource::kCluster;
  EXPECT_THAT(why(acl), HasSubstr("kafka-cluster"));
  EXPECT_THAT(why(Literal("t", "a")), HasSubstr("principalType"));
  EXPECT_THAT(why(Literal("t", "User:")), HasSubstr("principalType"));
  EXPECT_THAT(why(Literal(std::string(5000, 'x'))), HasSubstr("longer"));
  acl = Literal("t");
  acl.host = "";
  EXPECT_THAT(why(acl), HasSubstr("Host"));
}

TEST(Acl, NamesAreThoseOfKafkasTools) {
  EXPECT_EQ(OperationNamed("DescribeConfigs"), AclOperation::kDescribeConfigs);
  EXPECT_EQ(OperationNamed("describe-configs"), AclOperation::kDescribeConfigs);
  EXPECT_EQ(OperationNamed("READ"), AclOperation::kRead);
  EXPECT_EQ(OperationNamed("unknown"), std::nullopt);
  EXPECT_EQ(ResourceNamed("transactional-id"), AclResource::kTransactionalId);
  EXPECT_EQ(PatternNamed("Prefixed"), AclPattern::kPrefixed);
  EXPECT_EQ(PermissionNamed("deny"), AclPermission::kDeny);
  EXPECT_EQ(Name(AclOperation::kTwoPhaseCommit), "TWO_PHASE_COMMIT");
  EXPECT_EQ(ToText(Literal("t")), "TOPIC:LITERAL:t User:a ALLOW READ from *");
}

TEST(Acl, MessagesHaveAllOfIt) {
  admin::v1::Acl message;
  ToMessage(Literal("t", "User:b"), &message);
  EXPECT_EQ(FromMessage(message), Literal("t", "User:b"));
  message.set_operation(1000);
  EXPECT_EQ(FromMessage(message).operation, AclOperation::kUnknown);
  AclFilter filter;
  filter.name = "x";
  filter.host = "h";
  admin::v1::AclFilter sent;
  ToMessage(filter, &sent);
  const AclFilter back = FromMessage(sent);
  EXPECT_EQ(back.name, "x");
  EXPECT_EQ(back.host, "h");
  EXPECT_EQ(back.principal, std::nullopt);
  EXPECT_EQ(back.type, AclResource::kAny);
}

}  // namespace
}  // namespace tidemark::metadata
