#pragma once

#include "controller/metadata/view.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// C-01 to C-03, and that it supports the cluster's features. While the broker
// registered now has a session, another process must not take its id; one with
// the same directories may at once: their locks prove that the old process is
// gone, however lately it was heard of. The epoch in the answer is not set: it
// is known when the record is committed.
Decision<rpc_v1::RegisterResponse> Decide(
    const View& view, const rpc_v1::RegisterRequest& request);

}  // namespace tidemark::controller
