#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/rpc/security.h"

namespace grpc {
class ServerContextBase;
}

namespace tidemark::rpc {

// Who may make a call of gRPC: the only table of it.
struct Permission {
  std::string_view call;  // "RaftPeer/Send"
  unsigned roles;         // tls::Role, together
};
std::span<const Permission> Permissions();

// Whether the caller may make this call, for the node it says it speaks for
// (nullopt: it speaks for none; a number that is no node's: nobody may).
// Without security everybody may. Error kClusterAuthorizationFailed: who the
// caller is, and who it would have to be.
Status CheckCaller(const Security* security,
                   const grpc::ServerContextBase& context,
                   std::string_view call,
                   std::optional<NodeId> id = std::nullopt);

// The same of a caller that is known.
Status CheckHolder(const tls::Holder& holder, std::string_view call,
                   std::optional<NodeId> id);

}  // namespace tidemark::rpc
