#pragma once

#include <memory>

#include "controller/quorum/quorum.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// The way to one other node, which says Hello there before anything else.
// Messages may get lost. Owner: the executor's thread.
class PeerLink {
 public:
  virtual ~PeerLink() = default;

  // Opens the way now if there is none: at start, and when the peer has just
  // been heard. It opens itself again after it broke.
  virtual void Connect() = 0;
  virtual void Send(const raft::Message& message) = 0;
  // What the next way begins with.
  virtual void SetHello(raft::v1::Hello hello) = 0;
  // Something came from this peer.
  virtual void Heard() = 0;
  // Every so often. A way on which nothing was ever answered for a while may
  // be none: it is replaced.
  virtual void Tick() = 0;
  // Messages that there was no room for, ever.
  virtual uint64_t dropped() const = 0;
};

// How a node reaches others. Production: gRPC streams. Simulation: a network
// with delays and cuts.
class Transport {
 public:
  virtual ~Transport() = default;
  // Not connected yet.
  virtual std::shared_ptr<PeerLink> Open(const Voter& peer,
                                         raft::v1::Hello hello) = 0;
};

}  // namespace tidemark::quorum
