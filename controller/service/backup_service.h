#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/rpc/security.h"

namespace grpc {
class Service;
}
namespace tidemark {
class Executor;
}

namespace tidemark::controller {

class Controller;

// The service of proto/backup.proto. The image is encoded on a thread of gRPC:
// it never changes, and a million partitions take seconds. One call at a time;
// others are refused.
// A reader that takes nothing for `patience` loses its turn.
//
// `controller` and `executor` must outlive the server it is registered with.
std::unique_ptr<grpc::Service> MakeBackupService(
    Controller* controller, std::string cluster_id, Executor* executor,
    rpc::SecurityPtr security = nullptr,
    Duration patience = std::chrono::seconds(30));

}  // namespace tidemark::controller
