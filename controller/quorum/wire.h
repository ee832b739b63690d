#pragma once

#include "common/base/result.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// raft::Message as protobuf and back. Decode takes the bytes out of `wire`;
// it accepts any bytes: what makes no sense is for raft::Validate to refuse.
raft::v1::Message Encode(const raft::Message& message);
raft::Message Decode(raft::v1::Message&& wire);

}  // namespace tidemark::quorum
