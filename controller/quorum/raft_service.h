#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "controller/raft/message.h"

namespace tidemark::quorum {

// What comes from the other voters, on the executor's thread.
class Inbox {
 public:
  virtual ~Inbox() = default;
  // `from` comes from `directory`: may its messages be taken? `done` is called
  // on this thread, now or later; a refusal's message goes to the sender.
  virtual void Meet(NodeId from, const Uuid& directory,
                    std::function<void(Status)> done) = 0;
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
class RaftService {
 public:
  virtual ~RaftService() = default;
  virtual grpc::Service& grpc() = 0;
  // Ends every stream, so that the server's shutdown has not to wait for
  // them; no StreamEnded comes of it. Any thread.
  virtual void EndStreams() = 0;
};

std::unique_ptr<RaftService> MakeRaftService(Admission admission,
                                             Executor& executor,
                                             std::weak_ptr<Inbox> inbox);

}  // namespace tidemark::quorum
