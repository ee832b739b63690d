#pragma once

#include "controller/metadata/partition_change.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;
namespace rpc_v1 = tidemark::controller::v1;

// Whether the broker's replica of the partition was in a directory that it
// registers without (B-30).
bool IsLost(const PartitionImage& partition,
            const rpc_v1::RegisterRequest& request);

// C-01 to C-03, and that it supports the cluster's features. `has_session`: the
// broker registered now is unfenced and has been heard of in time, so another
// process must not take its id; one with the same directories may at once:
// their locks prove that the old process is gone, however lately it was heard
// of. The epoch in the answer is not set: it is known when the record is
// committed.
Decision<rpc_v1::RegisterResponse> DecideRegister(
    const Image& state, const rpc_v1::RegisterRequest& request,
    bool has_session, const Settings& settings);

// What the controller knows about a broker besides the metadata.
struct HeartbeatFacts {
  // The feed is open, so the broker will hear of what it is to lead.
  bool connected = true;
  // Every other active broker has applied the batch that moved the leaders
  // off this one (C-06).
  bool leaders_moved_everywhere = false;
};

// C-05, C-06, C-09. Answers the state after the records.
Decision<rpc_v1::HeartbeatResponse> DecideHeartbeat(
    const Image& state, const rpc_v1::HeartbeatRequest& request,
    const HeartbeatFacts& facts, const Settings& settings);

// Takes the broker out of every ISR and leadership, then fences it (C-07).
// May be longer than one batch; the fencing itself is the last record.
// REQUIRES: registered.
Records DecideFence(const Image& state, NodeId broker,
                    const Settings& settings);

Result<Decision<admin_v1::UnregisterBrokerResponse>> DecideUnregister(
    const Image& state, const admin_v1::UnregisterBrokerRequest& request,
    const Settings& settings);

// A block of producer ids no one else gets.
inline constexpr int32_t kProducerIdBlock = 1000;
Decision<rpc_v1::AllocateProducerIdsResponse> DecideAllocateProducerIds(
    const Image& state, const rpc_v1::AllocateProducerIdsRequest& request);

}  // namespace tidemark::controller
