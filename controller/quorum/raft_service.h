#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// What comes from the other voters, on the executor's thread.
class Inbox {
 public:
  virtual ~Inbox() = default;
  // Somebody says Hello: may its messages be taken? `done` is called on this
  // thread, now or later; a refusal's message goes to the sender.
  virtual void Meet(const raft::v1::Hello& hello,
                    std::function<void(Status)> done) = 0;
  // Its directories are those of the Hello.
  virtual void Receive(raft::Message message) = 0;
  // (from, directory) has been met on a new stream.
  virtual void StreamBegan(NodeId from, const Uuid& directory) = 0;
  // The newest stream of it has ended: its process or the link is gone.
  virtual void StreamEnded(NodeId from, const Uuid& directory) = 0;
};

// For whom others send here.
struct Admission {
  std::string cluster_id;
  NodeId self = kNoNode;
  Uuid directory;
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
