#pragma once

#include <memory>

#include "common/base/executor.h"

namespace grpc {
class Service;
}

namespace tidemark::controller {

class Controller;

// gRPC's BrokerLifecycle (proto/controller.proto), on the controller's
// executor. The controller and the executor outlive the server it is
// registered with.
std::unique_ptr<grpc::Service> MakeBrokerService(Controller* controller,
                                                 Executor* executor);

}  // namespace tidemark::controller
