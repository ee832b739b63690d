#include "controller/service/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <mutex>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/security.h"

namespace tidemark::controller {
namespace {

constexpr Duration kHealthInterval = std::chrono::milliseconds(100);

}  // namespace

// Shared with the tasks on the executor.
struct GrpcServer::Health {
  void Set(bool serving) {
    std::lock_guard lock(mutex);
    if (service != nullptr) service->SetServingStatus(serving);
  }
  static void Ask(const std::shared_ptr<Health>& self, Executor* executor,
                  const std::function<bool()>& ready) {
    {
      std::lock_guard lock(self->mutex);
      if (self->service == nullptr) return;
    }
    self->Set(ready());
    executor->PostAfter(kHealthInterval,
                        [=] { Health::Ask(self, executor, ready); });
  }

  std::mutex mutex;
  grpc::HealthCheckServiceInterface* service =
      nullptr;  // null: the server has ended
};

GrpcServer::GrpcServer() : health_(std::make_shared<Health>()) {}

void GrpcServer::ServeWhile(Executor* executor, std::function<bool()> ready) {
  health_->Set(false);
  executor->Post([=, health = health_, ready = std::move(ready)] {
    Health::Ask(health, executor, ready);
  });
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const std::string& host, uint16_t port,
    const std::vector<grpc::Service*>& services,
    const rpc::Security* security) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::string address = rpc::HostPort(host, port);
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(&builder);
  int bound = 0;
  std::unique_ptr<GrpcServer> out(new GrpcServer);
  out->credentials_ = security == nullptr ? grpc::InsecureServerCredentials()
                                          : security->OfServer();
  builder.AddListeningPort(address, out->credentials_, &bound);
  for (grpc::Service* service : services) builder.RegisterService(service);
  out->server_ = builder.BuildAndStart();
  if (out->server_ == nullptr || bound == 0) {
    return Fail(ErrorCode::kNetworkException,
                "cannot listen on " + address +
                    ": is the port in use, or the host not this machine? See "
                    "listeners");
  }
  out->health_->service = out->server_->GetHealthCheckService();
  out->port_ = static_cast<uint16_t>(bound);
  return out;
}

GrpcServer::~GrpcServer() {
  {
    std::lock_guard lock(health_->mutex);
    health_->service = nullptr;
  }
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::milliseconds(100));
  server_->Wait();
}

}  // namespace tidemark::controller
