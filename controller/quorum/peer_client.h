#pragma once

#include <memory>
#include <string>

#include "common/base/executor.h"
#include "controller/quorum/outbox.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// One voter's outgoing stream to another: keeps it open, says Hello, sends
// messages in the order of an Outbox.
//
// Owner: the executor's thread; no call blocks, except the destructor, for
// the moment gRPC needs to cancel a stream.
class PeerClient : public std::enable_shared_from_this<PeerClient> {
 public:
  PeerClient(Executor& executor, Voter peer, raft::v1::Hello hello);
  ~PeerClient();

  // Opens the stream now if there is none: at start, and when the peer has
  // just been heard.
  void Connect();
  void Send(const raft::Message& message);
  // What the next stream begins with.
  void SetHello(raft::v1::Hello hello) { hello_ = std::move(hello); }
  // Messages that did not fit, ever.
  uint64_t dropped() const { return outbox_.dropped(); }
  // Something came from this peer.
  void Heard() { unanswered_since_ = {}; }
  // Every so often. A stream on which nothing was ever answered for a while
  // may hang in a dead TCP connection: it is replaced.
  void Tick();

 private:
  class Stream;

  void OnEstablished(const Stream* stream);
  void OnWritten(const Stream* stream);
  void OnEnded(const Stream* stream, std::string error, bool refused);
  void WriteNext();

  Executor& executor_;
  const Voter peer_;
  raft::v1::Hello hello_;
  std::shared_ptr<Stream> stream_;
  bool established_ = false;
  bool writing_ = false;
  bool waiting_ = false;  // for the end of the pause after a failure
  bool refused_ = false;  // said so in the log
  int64_t pause_ms_;
  Outbox outbox_;
  Instant unanswered_since_{};
};

}  // namespace tidemark::quorum
