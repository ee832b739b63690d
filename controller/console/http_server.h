#pragma once

#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/rpc/http_endpoint.h"

namespace tidemark::controller {

class Controller;

// The controller's HTTP port. Ready when it knows a leader; not alive, to be
// started again, when the executor has not got to anything for ten seconds.
// Questions run on the controller's executor, so an executor that is stuck is
// not ready; stop the server before the executor.
Result<std::unique_ptr<rpc::HttpEndpoint>> StartHttpServer(
    rpc::HttpSettings settings, Controller* controller, Executor* executor);

}  // namespace tidemark::controller
