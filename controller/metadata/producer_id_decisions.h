#pragma once

#include "controller/metadata/view.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// A block of producer ids no one else gets (C-22).
inline constexpr int32_t kProducerIdBlock = 1000;
Decision<rpc_v1::AllocateProducerIdsResponse> Decide(
    const View& view, const rpc_v1::AllocateProducerIdsRequest& request);

}  // namespace tidemark::controller
