#pragma once

#include <memory>
#include <set>
#include <string>

#include "common/base/executor.h"
#include "controller/raft/message.h"

namespace grpc {
class Service;
}

namespace tidemark::quorum {

// What comes from the other voters, on the executor's thread.
class Inbox {
 public:
  virtual ~Inbox() = default;
  virtual void Receive(raft::Message message) = 0;
  // `from` has said Hello on a new stream.
  virtual void StreamBegan(NodeId from) = 0;
  // The newest stream of `from` has ended: its process or the link is gone.
  virtual void StreamEnded(NodeId from) = 0;
};

// Who may send here.
struct Admission {
  std::string cluster_id;
  NodeId self = kNoNode;
  std::set<NodeId> voters;
};

// The RaftPeer gRPC service: one reader per stream, no thread of its own. A
// stream must begin with a fitting Hello, or it ends with FAILED_PRECONDITION;
// a message whose sender is not the one of the Hello ends it with
// INVALID_ARGUMENT. At most one message a stream waits for the executor.
//
// Tasks find `inbox` gone when its owner is.
std::unique_ptr<grpc::Service> MakeRaftService(Admission admission,
                                               Executor& executor,
                                               std::weak_ptr<Inbox> inbox);

}  // namespace tidemark::quorum
