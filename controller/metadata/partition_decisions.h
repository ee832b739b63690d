#pragma once

#include "controller/metadata/partition_change.h"
#include "controller/metadata/view.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;
namespace rpc_v1 = tidemark::controller::v1;

// A leader proposes new in-sync sets. Each partition is checked in the order
// of C-17; the answer carries the state as it will be committed (C-18).
Decision<rpc_v1::AlterPartitionResponse> Decide(
    const View& view, const rpc_v1::AlterPartitionRequest& request);

Decision<admin_v1::ElectLeadersResponse> Decide(
    const View& view, const admin_v1::ElectLeadersRequest& request);

// Moves leadership to preferred replicas that are in sync (C-16), at most
// `limit` partitions.
Records DecidePreferredLeaders(const View& view, size_t limit);

// Leaderless partitions whose topic allows unclean elections, at most
// `limit`.
Records DecideUncleanLeaders(const View& view, size_t limit);

// Partitions whose eligible leader replicas min.insync.replicas, changed
// meanwhile, does not ask for any more: their leaders may commit again. At most
// `limit`.
Records DecideEligibleLeaders(const View& view, size_t limit);

}  // namespace tidemark::controller
