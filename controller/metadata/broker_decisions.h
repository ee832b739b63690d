#pragma once

#include <vector>

#include "controller/metadata/eviction.h"
#include "controller/metadata/view.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;
namespace rpc_v1 = tidemark::controller::v1;

// C-05, C-06, C-09. Answers the state after the records.
Decision<rpc_v1::HeartbeatResponse> Decide(
    const View& view, const rpc_v1::HeartbeatRequest& request);

// Takes the brokers out of every ISR and leadership, then fences them (C-07):
// who is lost at the same time changes each partition once, and none is led for
// a moment by one that goes with it. May be longer than one batch; the fencing
// itself are the last records. REQUIRES: registered.
Records DecideFence(const View& view, std::vector<NodeId> brokers);

// The same in parts of `limit` partitions at most, each decided on what the one
// before has made: a zone is too much for one turn of a loop.
struct Fencing {
  std::vector<NodeId> brokers;  // sorted
  EvictionCursor cursor = {};
  bool complete = false;  // the brokers are fenced
};
Records FenceSome(const View& view, size_t limit, Fencing* fencing);

// kNotController while the broker is registering.
Result<Decision<admin_v1::UnregisterBrokerResponse>> Decide(
    const View& view, const admin_v1::UnregisterBrokerRequest& request);

}  // namespace tidemark::controller
