#pragma once

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// C-21. Each topic whole or not at all, with its own code; all in one batch.
Decision<admin_v1::CreateTopicsResponse> Decide(
    const View& view, const admin_v1::CreateTopicsRequest& request);

Decision<admin_v1::DeleteTopicsResponse> Decide(
    const View& view, const admin_v1::DeleteTopicsRequest& request);

// Grows topics; the new partitions get the replication factor of the first.
Decision<admin_v1::CreatePartitionsResponse> Decide(
    const View& view, const admin_v1::CreatePartitionsRequest& request);

}  // namespace tidemark::controller
