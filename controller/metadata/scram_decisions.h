#pragma once

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Credentials of SCRAM (KIP-554), each user's whole or not at all. With the
// first of a mechanism comes that of nobody (common/metadata/scram_image.h),
// and it goes with the last.
Result<Decision<admin_v1::AlterScramCredentialsResponse>> Decide(
    const View& view, const admin_v1::AlterScramCredentialsRequest& request);

admin_v1::DescribeScramCredentialsResponse Describe(
    const View& view, const admin_v1::DescribeScramCredentialsRequest& request);
Status CheckSize(const admin_v1::DescribeScramCredentialsRequest& request);

// What a new cluster begins with; those of `credentials` are complete.
Records DecideFirstCredentials(
    const std::vector<record_v1::SetScramCredential>& credentials,
    const Randomness& random);

}  // namespace tidemark::controller
