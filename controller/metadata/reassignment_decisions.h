#pragma once

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Moves partitions to other brokers (KIP-455, C-19). A partition that moves has
// the replicas of its target, then those that go, until all of the target are
// in sync; PartitionChange finishes it then. Another target takes the place of
// the one before, and none goes back to the replicas there were before the
// move. All of it is in the metadata, so that a controller that takes over goes
// on with it. An error below metadata::kMovesLevel.
Result<Decision<admin_v1::AlterPartitionReassignmentsResponse>> Decide(
    const View& view,
    const admin_v1::AlterPartitionReassignmentsRequest& request);

// The partitions that move, of those asked for; what is unknown is left out, as
// Kafka does.
admin_v1::ListPartitionReassignmentsResponse Describe(
    const View& view,
    const admin_v1::ListPartitionReassignmentsRequest& request);
Status CheckSize(const admin_v1::ListPartitionReassignmentsRequest& request);

// Adds a note when any of the records begins or ends the move of a partition.
// They are decided on that image.
void NoteMoves(const metadata::Image& image, const Records& records,
               Effects* effects);

}  // namespace tidemark::controller
