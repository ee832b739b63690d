#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/result.h"

namespace grpc {
class Server;
class ServerCredentials;
class Service;
}  // namespace grpc

namespace tidemark::rpc {
class Security;
}

namespace tidemark::controller {

// The controller's gRPC port: the services given, and the standard health and
// reflection services.
class GrpcServer {
 public:
  // The services and `security` outlive the server; nullptr: plaintext. `port`
  // 0: any free one. Fails with one line that names the address.
  static Result<std::unique_ptr<GrpcServer>> Start(
      const std::string& host, uint16_t port,
      const std::vector<grpc::Service*>& services,
      const rpc::Security* security = nullptr);
  // From now on the health service says SERVING while `ready` does, which is
  // asked on the executor about ten times a second; until it is first asked,
  // NOT_SERVING.
  void ServeWhile(Executor* executor, std::function<bool()> ready);
  // Cancels what runs and waits for its answers: the executors that give
  // them must still run.
  ~GrpcServer();

  uint16_t port() const { return port_; }

 private:
  struct Health;
  GrpcServer();
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<Health> health_;
  uint16_t port_ = 0;
};

}  // namespace tidemark::controller
