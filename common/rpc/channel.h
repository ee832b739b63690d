#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/ids.h"

namespace grpc {
class Channel;
class ChannelArguments;
class ChannelCredentials;
class ServerBuilder;
}  // namespace grpc

namespace tidemark::rpc {

class Security;

// What a channel to a controller speaks: TLS where there is security, to one
// with this id (kNoNode: any).
std::shared_ptr<grpc::ChannelCredentials> CredentialsTo(
    const Security* security, const std::string& host, NodeId id);
// One attempt to connect may take `plaintext_ms`, or with TLS as long as
// handshakes take where many come at once; a refused one ends at once.
void SetLimitOfAttempt(const Security* security, int plaintext_ms,
                       grpc::ChannelArguments* arguments);
// Why a handshake of TLS failed, out of the message of a call's status that
// says so; "": it did not.
std::string FailedHandshake(const std::string& message);
// The host of "host:port", without brackets.
std::string HostOf(const std::string& address);

// A channel between processes of the cluster: reconnects 50 ms after a break,
// notices a silent peer by pings in about two seconds, takes messages of any
// size (metadata snapshots), and never goes through an HTTP proxy.
std::shared_ptr<grpc::Channel> MakeChannel(const Security* security,
                                           const std::string& host,
                                           uint16_t port);

// The server's side of it. Also makes a port in use an error (gRPC would
// share it) and bounds what a request may weigh.
void ConfigureServer(grpc::ServerBuilder* builder);

// "host:port", with brackets around an IPv6 address.
std::string HostPort(const std::string& host, uint16_t port);

}  // namespace tidemark::rpc
