#include "controller/service/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "common/rpc/channel.h"

namespace tidemark::controller {

GrpcServer::GrpcServer() = default;

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const std::string& host, uint16_t port,
    const std::vector<grpc::Service*>& services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::string address = rpc::HostPort(host, port);
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(&builder);
  int bound = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &bound);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<GrpcServer> out(new GrpcServer);
  out->server_ = builder.BuildAndStart();
  if (out->server_ == nullptr || bound == 0) {
    return Fail(ErrorCode::kNetworkException,
                "cannot listen on " + address +
                    ": is the port in use, or the host not this machine? See "
                    "listeners");
  }
  out->port_ = static_cast<uint16_t>(bound);
  return out;
}

GrpcServer::~GrpcServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::milliseconds(100));
  server_->Wait();
}

}  // namespace tidemark::controller
