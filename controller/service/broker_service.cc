#include "controller/service/broker_service.h"

#include <mutex>
#include <utility>

#include "common/rpc/permissions.h"
#include "controller/service/call.h"
#include "controller/service/controller.h"
#include "controller/service/send_queue.h"
#include "proto/controller.grpc.pb.h"

namespace tidemark::controller {
namespace {

// A subscriber that leaves this much unread, behind what it is being sent, is
// cut off; it comes back and gets a snapshot.
constexpr size_t kMaxWaitingBytes = 64 << 20;

// Shares the bytes; gRPC frees its share when they are sent.
grpc::ByteBuffer ToBuffer(const FeedBytes& message) {
  auto* share = new FeedBytes(message);
  // gRPC reads only.
  grpc::Slice slice(
      const_cast<char*>((*share)->data()), (*share)->size(),
      [](void* mine) { delete static_cast<FeedBytes*>(mine); }, share);
  return {&slice, 1};
}

// One Subscribe stream. gRPC's threads and the controller's executor meet at
// the mutex; nothing blocks under it, and gRPC calls no reaction from within a
// start of an operation. Destroyed when both have let go.
class FeedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public FeedSink,
                         public std::enable_shared_from_this<FeedStream> {
 public:
  FeedStream(Controller* controller, Executor* executor,
             rpc_v1::SubscribeRequest request)
      : controller_(controller),
        executor_(executor),
        request_(std::move(request)) {}

  // Keeps itself alive until gRPC's OnDone.
  void Begin() {
    self_ = shared_from_this();
    executor_->Post([self = self_] {
      {
        std::lock_guard lock(self->mutex_);
        if (self->closed_) return;
      }
      Status status = self->controller_->Subscribe(self->request_, self);
      if (!status) return self->Close(status.error());
      self->subscribed_ = true;
    });
  }

  // FeedSink
  void Send(FeedBytes message) override {
    const size_t bytes = message->size();
    std::lock_guard lock(mutex_);
    if (closed_) return;
    auto buffer = std::make_shared<const grpc::ByteBuffer>(ToBuffer(message));
    if (!queue_.Push(std::move(buffer), bytes)) {
      return CloseLocked(Error{ErrorCode::kThrottlingQuotaExceeded,
                               "the subscriber reads too slowly"});
    }
    if (queue_.size() == 1) StartWrite(queue_.front());
  }

  void Close(const Error& error) override {
    std::lock_guard lock(mutex_);
    CloseLocked(error);
  }

  FeedQueue Queued() const override {
    std::lock_guard lock(mutex_);
    return {queue_.size(), queue_.bytes()};
  }

  // Instead of Begin.
  void Refuse(grpc::Status status) {
    self_ = shared_from_this();
    std::lock_guard lock(mutex_);
    closed_ = true;
    Finish(std::move(status));
  }

  // gRPC
  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    queue_.Pop();
    if (!ok) return CloseLocked({ErrorCode::kNetworkException, "broken"});
    if (!closed_ && !queue_.empty()) StartWrite(queue_.front());
  }
  void OnCancel() override {
    Close({ErrorCode::kNetworkException, "cancelled"});
  }
  void OnDone() override {
    // Only now may the object go; the executor may hold it a little longer.
    executor_->Post([self = std::move(self_)] { self->Ended(); });
  }

 private:
  // Under the mutex, so that no write starts after it.
  void CloseLocked(const Error& error) {
    if (std::exchange(closed_, true)) return;
    Finish(rpc::ToGrpc(error));
  }

  void Ended() {
    if (std::exchange(subscribed_, false)) {
      controller_->FeedEnded(request_, this);
    }
  }

  Controller* const controller_;
  Executor* const executor_;
  const rpc_v1::SubscribeRequest request_;
  std::shared_ptr<FeedStream> self_;
  bool subscribed_ = false;  // executor only

  mutable std::mutex mutex_;
  bool closed_ = false;
  SendQueue<grpc::ByteBuffer> queue_{kMaxWaitingBytes};
};

// The feed's messages come serialized: the same ones go to all.
using Lifecycle = rpc_v1::BrokerLifecycle;
using CallbackService = Lifecycle::WithRawCallbackMethod_Subscribe<
    Lifecycle::WithCallbackMethod_Register<
        Lifecycle::WithCallbackMethod_Heartbeat<
            Lifecycle::WithCallbackMethod_AlterPartition<
                Lifecycle::WithCallbackMethod_AssignReplicas<
                    Lifecycle::WithCallbackMethod_AllocateProducerIds<
                        Lifecycle::Service>>>>>>;

class BrokerService final : public CallbackService {
 public:
  BrokerService(Controller* controller, Executor* executor,
                rpc::SecurityPtr security)
      : controller_(controller),
        executor_(executor),
        security_(std::move(security)) {}

#define TM_BROKER_CALL(Name, How)                                             \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context,        \
                                 const rpc_v1::Name##Request* request,        \
                                 rpc_v1::Name##Response* response) override { \
    return Serve("BrokerLifecycle/" #Name, context, request, response);       \
  }
  TM_BROKER_CALLS(TM_BROKER_CALL)
#undef TM_BROKER_CALL

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Subscribe(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* bytes) override {
    grpc::ByteBuffer copy(*bytes);  // of the references
    rpc_v1::SubscribeRequest request;
    const bool read =
        grpc::SerializationTraits<rpc_v1::SubscribeRequest>::Deserialize(
            &copy, &request)
            .ok();
    const Status may =
        rpc::CheckCaller(security_.get(), *context, "BrokerLifecycle/Subscribe",
                         request.broker_id());
    auto stream = std::make_shared<FeedStream>(controller_, executor_,
                                               std::move(request));
    auto* const reactor = stream.get();
    if (!read) {
      stream->Refuse(
          {grpc::StatusCode::INVALID_ARGUMENT, "not a SubscribeRequest"});
    } else if (!may) {
      stream->Refuse(rpc::ToGrpc(may.error(), context));
    } else {
      stream->Begin();
    }
    return reactor;
  }

 private:
  template <class Request, class Response>
  grpc::ServerUnaryReactor* Serve(const char* name,
                                  grpc::CallbackServerContext* context,
                                  const Request* request, Response* response) {
    // A heartbeat, however late: nobody waits for the answer any more, but the
    // broker was alive (F40).
    constexpr bool kAlsoLate =
        std::is_same_v<Request, rpc_v1::HeartbeatRequest>;
    auto call = std::make_shared<Call>(context);
    auto* reactor = call->reactor();
    const Status may =
        rpc::CheckCaller(security_.get(), *context, name, request->broker_id());
    if (!may) {
      call->Finish(may);
      return reactor;
    }
    executor_->Post([this, call, request, response] {
      if (!kAlsoLate && call->Expired()) {
        return call->Finish(Fail(ErrorCode::kRequestTimedOut, "too late"));
      }
      controller_->Call(*request, [call, response](Result<Response> r) {
        if (!r) return call->Finish(Fail(r.error()));
        *response = std::move(*r);
        call->Finish({});
      });
    });
    return reactor;
  }

  Controller* const controller_;
  Executor* const executor_;
  const rpc::SecurityPtr security_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeBrokerService(Controller* controller,
                                                 Executor* executor,
                                                 rpc::SecurityPtr security) {
  return std::make_unique<BrokerService>(controller, executor,
                                         std::move(security));
}

}  // namespace tidemark::controller
