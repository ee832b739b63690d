#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/executor.h"
#include "common/rpc/security.h"
#include "controller/quorum/outbox.h"
#include "controller/quorum/transport.h"

namespace tidemark::quorum {

// One node's outgoing gRPC stream to another: keeps it open, sends messages in
// the order of an Outbox. What waits goes on from gRPC's own threads: the
// executor is woken for no message that was sent.
//
// No call blocks, except the destructor, for the moment gRPC needs to cancel a
// stream.
class PeerClient final : public PeerLink,
                         public std::enable_shared_from_this<PeerClient> {
 public:
  // `left_behind`: the other one says that its quorum has gone on without this
  // node.
  using LeftBehind = std::function<void(const std::string& why)>;
  PeerClient(Executor& executor, Voter peer, raft::v1::Hello hello,
             LeftBehind left_behind, rpc::SecurityPtr security);
  ~PeerClient() override;

  void Connect() override;
  void Send(const raft::Message& message) override;
  void SetHello(raft::v1::Hello hello) override { hello_ = std::move(hello); }
  void Heard() override { unanswered_since_ = {}; }
  // A stream may hang in a dead TCP connection.
  void Tick() override;
  uint64_t dropped() const override;

 private:
  class Stream;
  struct Waiting;

  void OnEstablished(const Stream* stream);
  enum class End { kBroken, kRefused, kLeftBehind };
  void OnEnded(const Stream* stream, const std::string& error, End how);

  Executor& executor_;
  const Voter peer_;
  raft::v1::Hello hello_;
  const LeftBehind left_behind_;
  const rpc::SecurityPtr security_;
  std::shared_ptr<Stream> stream_;
  bool established_ = false;
  bool pausing_ = false;    // after a failure
  bool refused_ = false;    // said so in the log
  std::string unverified_;  // the same, of a handshake of TLS
  int64_t pause_ms_;
  const std::shared_ptr<Waiting> waiting_;  // one stream after the other
  Instant unanswered_since_{};
};

class GrpcTransport final : public Transport {
 public:
  GrpcTransport(Executor& executor, PeerClient::LeftBehind left_behind,
                rpc::SecurityPtr security)
      : executor_(executor),
        left_behind_(std::move(left_behind)),
        security_(std::move(security)) {}
  std::shared_ptr<PeerLink> Open(const Voter& peer,
                                 raft::v1::Hello hello) override {
    return std::make_shared<PeerClient>(executor_, peer, std::move(hello),
                                        left_behind_, security_);
  }

 private:
  Executor& executor_;
  const PeerClient::LeftBehind left_behind_;
  const rpc::SecurityPtr security_;
};

}  // namespace tidemark::quorum
