#pragma once

#include <memory>

#include "common/base/executor.h"
#include "common/rpc/security.h"

namespace grpc {
class Service;
}

namespace tidemark::controller {

class Controller;

// gRPC's Admin (proto/admin.proto), on the controller's executor. Every
// controller takes every call: one that is not active forwards it to the
// active one, with the deadline that remains, and waits while there is none.
// The controller and the executor outlive the server it is registered with.
std::unique_ptr<grpc::Service> MakeAdminService(
    Controller* controller, Executor* executor,
    rpc::SecurityPtr security = nullptr);

}  // namespace tidemark::controller
