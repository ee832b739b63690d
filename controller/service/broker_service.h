#pragma once

#include <memory>

#include "common/base/executor.h"
#include "common/rpc/security.h"

namespace grpc {
class Service;
}

namespace tidemark::controller {

class Controller;

// gRPC's BrokerLifecycle (proto/controller.proto), on the controller's
// executor. The controller and the executor outlive the server it is
// registered with. With security a broker is who its certificate says.
std::unique_ptr<grpc::Service> MakeBrokerService(
    Controller* controller, Executor* executor,
    rpc::SecurityPtr security = nullptr);

}  // namespace tidemark::controller
