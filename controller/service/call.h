#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>

#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/rpc/status_map.h"

namespace tidemark::controller {

// One unary call on its way through the controller's executor. Answers once;
// a call that is dropped unanswered (the executor stopped) answers
// UNAVAILABLE by itself.
class Call {
 public:
  explicit Call(grpc::CallbackServerContext* context)
      : context_(context), reactor_(context->DefaultReactor()) {}
  ~Call() {
    Finish(Fail(ErrorCode::kNotController, "the controller is shutting down"));
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::CallbackServerContext* context() { return context_; }
  grpc::ServerUnaryReactor* reactor() { return reactor_; }
  // No one waits for the answer any more.
  bool Expired() const {
    return context_->IsCancelled() ||
           context_->deadline() < std::chrono::system_clock::now();
  }

  void Finish(const Status& status) {
    if (finished_.exchange(true)) return;
    reactor_->Finish(status ? grpc::Status::OK
                            : rpc::ToGrpc(status.error(), context_));
  }
  // A status from another controller, with its trailers added already.
  void FinishWith(grpc::Status status) {
    if (!finished_.exchange(true)) reactor_->Finish(std::move(status));
  }

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  std::atomic<bool> finished_ = false;
};

}  // namespace tidemark::controller
