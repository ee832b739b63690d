#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace grpc {
class ClientContext;
class ServerContextBase;
class Status;
}  // namespace grpc

namespace tidemark::rpc {

// Trailing metadata that holds Kafka's code of a failed call.
inline constexpr char kErrorCodeKey[] = "kafka-error-code";

// A failed call's status: the nearest gRPC code, and the message.
grpc::Status ToGrpc(const Error& error);
// The same, with Kafka's code in the call's trailing metadata. Before Finish.
grpc::Status ToGrpc(const Error& error, grpc::ServerContextBase* context);

// REQUIRES: !status.ok(). The trailing metadata's code when there is one,
// else the nearest to the gRPC code. `context` may be null.
Error FromGrpc(const grpc::Status& status, const grpc::ClientContext* context);

// Where the active controller is.
struct ActiveHint {
  NodeId id = kNoNode;
  std::string host;
  uint16_t port = 0;

  bool operator==(const ActiveHint&) const = default;
};

// "active=<id>@<host>:<port>", which controllers that are not active put into
// the message of their UNAVAILABLE; found anywhere in `message`.
std::string FormatActiveHint(const ActiveHint& hint);
std::optional<ActiveHint> ParseActiveHint(std::string_view message);

}  // namespace tidemark::rpc
