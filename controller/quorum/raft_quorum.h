#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/io/meta_properties.h"
#include "controller/quorum/options.h"
#include "controller/quorum/quorum.h"

namespace grpc {
class Service;
}

namespace tidemark::quorum {

// The Quorum of a controller process: a Node on its executor, storage on one
// thread of its own, gRPC streams to the other voters. A storage error ends the
// process, as does a write that does not end: LOG(FATAL).
//
// Who is a voter is in the log, as (id, directory), and changes through
// it, one voter at a time. A quorum that begins with a list of ids agrees on
// the directories as soon as its leader has met all of them; see Peers for how
// it knows them until then. A disk that is lost for good is replaced by
// removing the voter and adding it again, under its id or another.
//
// Order of life: Open; register service() with the gRPC server and start it;
// Start. At the end HandOver, then EndStreams and shut the server down, then
// destroy this object, on the executor's thread or after the executor has
// stopped.
class RaftQuorum : public Quorum {
 public:
  // Opens and reads the disk; blocking. kInvalidConfig with what to do for a
  // directory or a voter list that does not fit.
  static Result<std::unique_ptr<RaftQuorum>> Open(Options options,
                                                  Executor& executor,
                                                  StateMachine& machine);

  // Takes part in the quorum, and gives the state machine the newest snapshot,
  // in the background, and what was committed after it. Once, on the executor.
  // The only voter of a quorum elects itself at once.
  virtual void Start() = 0;

  // The process wants to go: if this node leads, another one takes over now,
  // not after an election timeout. `done` runs on the executor when this node
  // knows another leader, or has nothing to hand over, or nobody to take it,
  // or after `limit`. Once, on the executor.
  virtual void HandOver(Duration limit, std::function<void()> done) = 0;

  // Ends the streams of the other voters; no messages come any more. For a
  // moment leader() still tells where to pass calls on to. Any thread.
  virtual void EndStreams() = 0;

  // The RaftPeer service, for the process's gRPC server; lives as long as
  // this object.
  virtual grpc::Service& service() = 0;
  virtual const io::MetaProperties& meta() const = 0;
};

}  // namespace tidemark::quorum
