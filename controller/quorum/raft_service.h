#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <functional>
#include <memory>
#include <string_view>

#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/rpc/security.h"
#include "controller/quorum/inbox.h"

namespace tidemark::quorum {

// The RaftPeer gRPC service: one reader per stream, no thread of its own. A
// stream must begin with a fitting Hello, or it ends with FAILED_PRECONDITION,
// or, where the sender's certificate is not that controller's, with
// UNAUTHENTICATED; a message whose sender is not the one of the Hello, or with
// an entry that is none, ends it with INVALID_ARGUMENT. At most one message a
// stream waits for the executor.
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

// As StateMachine::CheckEntry.
using CheckEntry = std::function<Status(std::string_view data)>;

std::unique_ptr<RaftService> MakeRaftService(Admission admission,
                                             CheckEntry check_entry,
                                             Executor& executor,
                                             std::weak_ptr<Inbox> inbox,
                                             rpc::SecurityPtr security);

}  // namespace tidemark::quorum
