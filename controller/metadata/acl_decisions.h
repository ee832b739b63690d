#pragma once

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Every rule is in memory on every node.
inline constexpr size_t kMaxAcls = 100'000;

// As Kafka's controllers do: each by itself, and one that is there already is
// no failure. kInvalidRequest for what is no rule, kPolicyViolation when there
// are too many.
Decision<admin_v1::CreateAclsResponse> Decide(
    const View& view, const admin_v1::CreateAclsRequest& request);

// What two filters find is told to both.
Decision<admin_v1::DeleteAclsResponse> Decide(
    const View& view, const admin_v1::DeleteAclsRequest& request);

admin_v1::DescribeAclsResponse Describe(
    const View& view, const admin_v1::DescribeAclsRequest& request);
Status CheckSize(const admin_v1::DescribeAclsRequest& request);

}  // namespace tidemark::controller
