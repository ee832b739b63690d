#pragma once

// Internal to broker/metadata: includes gRPC.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "broker/metadata/controller_channels.h"
#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/rpc/request_id.h"

namespace tidemark {

// Kafka's code out of a failed call: the trailing metadata
// "kafka-error-code", kRequestTimedOut for a deadline.
Error ErrorOf(const grpc::Status& status, const grpc::ClientContext& context);

// Whether another controller may do better.
bool IsWorthRetrying(grpc::StatusCode code);

// One call to the active controller, repeated on whichever controller there
// is until one answers or the deadline passes. An attempt is given up after a
// second: a paused process accepts connections and says nothing.
template <class Request, class Response>
class UnaryCall
    : public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  using Done = std::function<void(Result<Response>)>;
  // Starts one attempt, e.g. peer.admin->async()->CreateTopics(...).
  using Method =
      std::function<void(ControllerPeer& peer, grpc::ClientContext* context,
                         const Request* request, Response* response,
                         std::function<void(grpc::Status)> done)>;

  // `executor` paces the attempts. It outlives the call, or the channels are
  // closed before it goes: then the call fails with kBrokerNotAvailable.
  static void Start(std::shared_ptr<ControllerChannels> channels,
                    Executor& executor, Method method, Request request,
                    Duration timeout, Done done) {
    rpc::SetRequestId(&request);
    auto call = std::shared_ptr<UnaryCall>(new UnaryCall(
        std::move(channels), executor, std::move(method), std::move(request),
        executor.Now() + timeout, std::move(done)));
    call->Attempt();
  }

 private:
  // gRPC drops it with the callback, the last member first.
  struct Try {
    std::shared_ptr<void> under_way;
    std::shared_ptr<UnaryCall> call;
    std::shared_ptr<ControllerPeer> peer;
    std::shared_ptr<grpc::ClientContext> context;
    Response response;
  };

  UnaryCall(std::shared_ptr<ControllerChannels> channels, Executor& executor,
            Method method, Request request, Instant deadline, Done done)
      : channels_(std::move(channels)),
        executor_(executor),
        method_(std::move(method)),
        request_(std::move(request)),
        deadline_(deadline),
        done_(std::move(done)) {}

  void Attempt() {
    constexpr Duration kAttempt = std::chrono::seconds(1);
    auto attempt = std::make_shared<Try>();
    attempt->context = std::make_shared<grpc::ClientContext>();
    attempt->under_way = channels_->Begin(attempt->context);
    if (attempt->under_way == nullptr) return Closed();
    attempt->call = this->shared_from_this();
    attempt->peer = channels_->Current();
    const Duration left = deadline_ - executor_.Now();
    attempt->context->set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::microseconds>(
            std::clamp<Duration>(left, std::chrono::milliseconds(1),
                                 kAttempt)));
    method_(*attempt->peer, attempt->context.get(), &request_,
            &attempt->response, [attempt](const grpc::Status& status) {
              attempt->call->Finish(*attempt, status);
            });
  }

  void Finish(Try& attempt, const grpc::Status& status) {
    if (status.ok()) return done_(std::move(attempt.response));
    if (!IsWorthRetrying(status.error_code())) {
      return done_(Fail(ErrorOf(status, *attempt.context)));
    }
    if (channels_->closed()) return Closed();
    channels_->Failed(*attempt.peer, status.error_message());
    if (executor_.Now() >= deadline_) {
      return done_(
          Fail(ErrorCode::kRequestTimedOut,
               "no active controller answered: " + status.error_message()));
    }
    // Once around at full speed, then with a pause.
    const Duration pause =
        std::chrono::milliseconds(++attempts_ <= channels_->count() ? 1
                                  : channels_->reached()            ? 30
                                                                    : 10);
    executor_.PostAfter(pause,
                        [self = this->shared_from_this()] { self->Attempt(); });
  }

  void Closed() {
    done_(Fail(ErrorCode::kBrokerNotAvailable, "this broker is stopping"));
  }

  const std::shared_ptr<ControllerChannels> channels_;
  Executor& executor_;
  const Method method_;
  const Request request_;
  const Instant deadline_;
  const Done done_;
  size_t attempts_ = 0;
};

}  // namespace tidemark
