// What the controllers make of access control lists.
#include <gmock/gmock.h>

#include "common/metadata/acl_messages.h"
#include "controller/metadata/acl_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using metadata::Acl;
using metadata::AclFilter;
using metadata::AclOperation;
using metadata::AclPattern;
using metadata::AclPermission;
using metadata::AclResource;
using testing::HasSubstr;

Acl Reads(const std::string& topic, const std::string& principal = "User:a") {
  return {{AclResource::kTopic, AclPattern::kLiteral, topic},
          principal,
          "*",
          AclOperation::kRead,
          AclPermission::kAllow};
}

int32_t Code(ErrorCode code) { return static_cast<int32_t>(code); }

class AclDecisions : public testing::Test {
 protected:
  View Looks() {
    return {.image = *state_, .settings = settings_, .random = &random_};
  }

  admin_v1::CreateAclsResponse Create(const std::vector<Acl>& acls) {
    admin_v1::CreateAclsRequest request;
    for (const Acl& acl : acls) metadata::ToMessage(acl, request.add_acls());
    auto decision = Decide(Looks(), request);
    records_ = decision.records.size();
    if (records_ > 0) state_.Apply(decision.records);
    return decision.response;
  }
  admin_v1::DeleteAclsResponse Delete(const std::vector<AclFilter>& filters) {
    admin_v1::DeleteAclsRequest request;
    for (const AclFilter& filter : filters) {
      metadata::ToMessage(filter, request.add_filters());
    }
    auto decision = Decide(Looks(), request);
    records_ = decision.records.size();
    if (records_ > 0) state_.Apply(decision.records);
    return decision.response;
  }

  State state_;
  Settings settings_;
  int ids_ = 0;
  Randomness random_{[this] {
                       Uuid id = TestId(++ids_);
                       id.bytes[2] = static_cast<uint8_t>(ids_ >> 16);
                       return id;
                     },
                     {}};
  size_t records_ = 0;
};

TEST_F(AclDecisions, EachIsCreatedByItself) {
  Acl bad = Reads("t");
  bad.operation = AclOperation::kAny;
  const auto response = Create({Reads("t"), bad, Reads("u"), Reads("t")});
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), Code(ErrorCode::kInvalidRequest));
  EXPECT_THAT(response.results(1).message(), HasSubstr("Invalid operation"));
  EXPECT_EQ(response.results(2).code(), 0);
  EXPECT_EQ(response.results(3).code(), 0) << "again, in the same request";
  EXPECT_EQ(records_, 2u);
  EXPECT_EQ(state_->acls().size(), 2u);
  EXPECT_EQ(Create({Reads("t")}).results(0).code(), 0);
  EXPECT_EQ(records_, 0u) << "it is there";
}

TEST_F(AclDecisions, WhatFiltersFindIsDeletedAndToldToEach) {
  Create({Reads("t"), Reads("t", "User:b"), Reads("u")});
  AclFilter of_t;
  of_t.type = AclResource::kTopic;
  of_t.pattern = AclPattern::kLiteral;
  of_t.name = "t";
  AclFilter of_b;
  of_b.principal = "User:b";
  AclFilter bad;
  bad.operation = AclOperation::kUnknown;
  AclFilter nothing = of_t;
  nothing.name = "v";
  const auto response = Delete({of_t, of_b, bad, nothing});
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_EQ(response.results(0).acls_size(), 2);
  EXPECT_EQ(response.results(1).acls_size(), 1);
  EXPECT_EQ(response.results(2).code(), Code(ErrorCode::kInvalidRequest));
  EXPECT_EQ(response.results(3).code(), 0);
  EXPECT_EQ(response.results(3).acls_size(), 0);
  EXPECT_EQ(records_, 2u) << "each once";
  EXPECT_EQ(state_->acls().size(), 1u);
}

TEST_F(AclDecisions, AreDescribedByFilter) {
  Create({Reads("t"), Reads("u", "User:b")});
  admin_v1::DescribeAclsRequest request;
  EXPECT_EQ(Describe(Looks(), request).acls_size(), 2);
  AclFilter filter;
  filter.principal = "User:b";
  metadata::ToMessage(filter, request.mutable_filter());
  ASSERT_TRUE(CheckSize(request));
  const auto response = Describe(Looks(), request);
  ASSERT_EQ(response.acls_size(), 1);
  EXPECT_EQ(metadata::FromMessage(response.acls(0)), Reads("u", "User:b"));
  request.mutable_filter()->set_permission(9);
  EXPECT_FALSE(CheckSize(request));
}

TEST_F(AclDecisions, OneRequestChangesNoMoreThanABatchHas) {
  std::vector<Acl> many;
  for (size_t i = 0; i <= kMaxRecordsPerBatch; ++i) {
    many.push_back(Reads("t" + std::to_string(i)));
  }
  auto response = Create(many);
  EXPECT_EQ(records_, kMaxRecordsPerBatch);
  EXPECT_EQ(response.results(response.results_size() - 1).code(),
            Code(ErrorCode::kPolicyViolation));
  Create({many.back()});
  const auto all = Delete({AclFilter()});
  EXPECT_EQ(all.results(0).code(), Code(ErrorCode::kPolicyViolation));
  EXPECT_EQ(all.results(0).acls_size(), 0);
  EXPECT_EQ(records_, 0u) << "all that a filter finds, or nothing";
  AclFilter one;
  one.type = AclResource::kTopic;
  one.pattern = AclPattern::kLiteral;
  one.name = "t5";
  EXPECT_EQ(Delete({AclFilter(), one}).results(1).acls_size(), 1);
  EXPECT_EQ(records_, 1u);
}

TEST_F(AclDecisions, ThereIsABoundForAll) {
  for (size_t i = 0; i < kMaxAcls; i += kMaxRecordsPerBatch) {
    std::vector<Acl> many;
    for (size_t k = i; k < i + kMaxRecordsPerBatch; ++k) {
      many.push_back(Reads("t" + std::to_string(k)));
    }
    Create(many);
  }
  EXPECT_EQ(state_->acls().size(), kMaxAcls);
  const auto response = Create({Reads("t5"), Reads("one-more")});
  EXPECT_EQ(response.results(0).code(), 0) << "it is there";
  EXPECT_EQ(response.results(1).code(), Code(ErrorCode::kPolicyViolation));
}

}  // namespace
}  // namespace tidemark::controller
