#pragma once

#include <grpcpp/support/status.h>

#include "common/base/result.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// How a stream ends whose sender is to end, too: Admission::IsLeftBehind.
inline constexpr auto kLeftBehind = grpc::StatusCode::PERMISSION_DENIED;
// The sender's certificate is not of the controller that its hello is from.
// Never kLeftBehind's, at which a controller ends for good.
inline constexpr auto kAnothersCertificate = grpc::StatusCode::UNAUTHENTICATED;

// raft::Message as protobuf and back, without the directories, which the stream
// tells. Decode takes the bytes out of `wire` and refuses members that are none
// (kInvalidRequest); what else makes no sense is for raft::Validate to refuse.
raft::v1::Message Encode(const raft::Message& message);
Result<raft::Message> Decode(raft::v1::Message&& wire);

}  // namespace tidemark::quorum
