#pragma once

// Internal to broker/metadata: includes gRPC.

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/rpc/security.h"
#include "proto/admin.grpc.pb.h"
#include "proto/controller.grpc.pb.h"

namespace tidemark {

// One controller and the way to it.
struct ControllerPeer {
  std::string address;
  std::unique_ptr<controller::v1::BrokerLifecycle::StubInterface> lifecycle;
  std::unique_ptr<admin::v1::Admin::StubInterface> admin;
  // Lets the next call connect at once, however often that has failed; may be
  // empty.
  std::function<void()> retry_now;
};
using ConnectController =
    std::function<std::shared_ptr<ControllerPeer>(const std::string& address)>;

// A channel of gRPC. It reconnects within a fraction of a second: controllers
// come back fast, and waiting longer than they need costs an unfencing.
// nullptr: plaintext.
std::shared_ptr<ControllerPeer> ConnectByGrpc(const std::string& address,
                                              const rpc::Security* security);

// host:port out of "... active=<id>@<host>:<port> ..."; "" when absent.
std::string ActiveHint(std::string_view message);

// The channels to all controllers, the best guess which one is active, and the
// calls under way on them. Any thread.
class ControllerChannels
    : public std::enable_shared_from_this<ControllerChannels> {
 public:
  explicit ControllerChannels(std::vector<std::string> addresses,
                              ConnectController connect);
  // By gRPC: in plaintext, or, with new certificates, on new channels.
  explicit ControllerChannels(std::vector<std::string> addresses,
                              rpc::SecurityPtr security = nullptr);

  std::shared_ptr<ControllerPeer> Current();
  // A call to `peer` did not reach an active controller; `message` may say
  // who is. Otherwise the next one is tried.
  void Failed(const ControllerPeer& peer, std::string_view message);
  size_t count();
  // An active controller has answered. Until then, that is while a cluster
  // starts, calls are repeated faster than gRPC would connect.
  void Reached();
  bool reached();

  // A call with `context` is about to start. What this returns is kept until
  // the last callback of the call has returned, by it and the callbacks alone;
  // null after Close(): no call may start any more.
  std::shared_ptr<void> Begin(std::shared_ptr<grpc::ClientContext> context);
  // Cancels the calls under way and waits until the last of their callbacks
  // has returned: from here on no thread of gRPC touches the executor they
  // post to, which may go. Not from a callback. Idempotent.
  void Close();
  bool closed();

 private:
  void End(uint64_t call);

  const rpc::SecurityPtr security_;
  const ConnectController connect_;
  std::mutex mutex_;
  std::vector<std::string> addresses_;
  std::vector<std::shared_ptr<ControllerPeer>> peers_;  // null: not yet used
  size_t current_ = 0;
  uint64_t generation_ = 0;  // of the certificate that they were made with
  std::string unverified_;   // why a handshake failed, said in the log
  bool closed_ = false;
  bool reached_ = false;
  uint64_t last_call_ = 0;
  std::map<uint64_t, std::weak_ptr<grpc::ClientContext>> calls_;  // under way
  std::condition_variable ended_;
};

}  // namespace tidemark
