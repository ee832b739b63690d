#include "common/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>

#include "common/rpc/security.h"

namespace tidemark::rpc {

std::string HostPort(const std::string& host, uint16_t port) {
  bool ipv6 = host.find(':') != std::string::npos && host[0] != '[';
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsTo(
    const Security* security, const std::string& host, NodeId id) {
  if (security == nullptr) return grpc::InsecureChannelCredentials();
  return security->ToController(host, id);
}

void SetLimitOfAttempt(const Security* security, int plaintext_ms,
                       grpc::ChannelArguments* arguments) {
  constexpr int kHandshakeMs = 2000;
  // Despite its name, the time one attempt to connect may take.
  arguments->SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                    security == nullptr ? plaintext_ms : kHandshakeMs);
}

std::string FailedHandshake(const std::string& message) {
  // What gRPC says of both, before the reason.
  for (const char* mark :
       {"Custom verification check failed with error: ", "andshake failed: "}) {
    const size_t at = message.find(mark);
    if (at != std::string::npos) {
      return message.substr(at + std::string_view(mark).size());
    }
  }
  return "";
}

std::string HostOf(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

std::shared_ptr<grpc::Channel> MakeChannel(const Security* security,
                                           const std::string& host,
                                           uint16_t port) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  SetLimitOfAttempt(security, 1000, &args);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(
      HostPort(host, port), CredentialsTo(security, host, kNoNode), args);
}

void ConfigureServer(grpc::ServerBuilder* builder) {
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Who connects and says nothing.
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 1000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1000);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // Several times what the largest request of a broker or an operator takes
  // (10,000 partitions); a message of raft stays below 4 MiB.
  builder->SetMaxReceiveMessageSize(16 << 20);
  // For reflection, the only service that is not asynchronous.
  using Option = grpc::ServerBuilder::SyncServerOption;
  builder->SetSyncServerOption(Option::NUM_CQS, 1);
  builder->SetSyncServerOption(Option::MIN_POLLERS, 1);
  builder->SetSyncServerOption(Option::MAX_POLLERS, 1);
}

}  // namespace tidemark::rpc
