#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace grpc {
class Channel;
class ServerBuilder;
}  // namespace grpc

namespace tidemark::rpc {

// A channel between processes of the cluster: reconnects 50 ms after a break,
// notices a silent peer by pings in about two seconds, takes messages of any
// size (metadata snapshots), and never goes through an HTTP proxy.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& host,
                                           uint16_t port);

// The server's side of it. Also makes a port in use an error (gRPC would
// share it) and bounds what a request may weigh.
void ConfigureServer(grpc::ServerBuilder* builder);

// "host:port", with brackets around an IPv6 address.
std::string HostPort(const std::string& host, uint16_t port);

}  // namespace tidemark::rpc
