#pragma once

#include "controller/metadata/partition_change.h"
#include "controller/metadata/view.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// Where a broker's replicas are (KIP-858). A replica whose log was missing, or
// whose directory is another than the one the metadata name and the broker no
// longer has, has lost what it held (B-30): it leaves the ISR and comes back by
// fetching. When it is the last member, nobody else has what it had: then the
// partition has no leader until the old disk is back or one is elected
// uncleanly; the metadata go on naming the old directory, or kLostDirectory
// when the log is missing in a directory that is there.
//
// What the metadata say already, and replicas this broker does not have, are
// passed over. Error kStaleBrokerEpoch.
// kPolicyViolation for more of them than one entry of the log may change.
Result<Decision<rpc_v1::AssignReplicasResponse>> Decide(
    const View& view, const rpc_v1::AssignReplicasRequest& request);

}  // namespace tidemark::controller
