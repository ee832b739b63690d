#include "controller/service/admin_service.h"

#include <glog/logging.h>

#include <atomic>
#include <map>

#include "common/rpc/channel.h"
#include "common/rpc/permissions.h"
#include "common/rpc/request_id.h"
#include "controller/service/call.h"
#include "controller/service/controller.h"
#include "proto/admin.grpc.pb.h"

namespace tidemark::controller {
namespace {

using Stub = admin_v1::Admin::StubInterface;
using Forwarder = Stub::async_interface;

// How often a call was passed on; two controllers that each believe the other
// active must not pass it for ever.
constexpr char kHopsKey[] = "tidemark-hops";
constexpr int kMaxHops = 2;
constexpr Duration kRetry = std::chrono::milliseconds(20);
constexpr Duration kWatch = std::chrono::milliseconds(100);
constexpr auto kDefaultDeadline = std::chrono::seconds(30);

// Calls that are not answered yet, at one controller. Each looks for a leader
// every kRetry.
constexpr int kMaxCalls = 500;

using Deadline = std::chrono::system_clock::time_point;

// Stubs of the other controllers. Executor thread.
class Peers {
 public:
  explicit Peers(rpc::SecurityPtr security) : security_(std::move(security)) {}

  std::shared_ptr<Stub> Find(const quorum::Voter& voter) {
    std::string address = rpc::HostPort(voter.host, voter.port);
    const uint64_t generation =
        security_ == nullptr ? 0 : security_->generation();
    Peer& peer = peers_[voter.id];
    if (peer.address != address || peer.generation != generation) {
      peer.address = address;
      peer.generation = generation;
      peer.stub = admin_v1::Admin::NewStub(
          rpc::MakeChannel(security_.get(), voter.host, voter.port));
    }
    return peer.stub;
  }

 private:
  struct Peer {
    std::string address;
    uint64_t generation = 0;  // of the certificate
    std::shared_ptr<Stub> stub;
  };
  const rpc::SecurityPtr security_;
  std::map<NodeId, Peer> peers_;
};

int HopsOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  auto found = metadata.find(kHopsKey);
  if (found == metadata.end()) return 0;
  return found->second == "1" ? 1 : kMaxHops;
}

// One call until it is answered. Executor thread.
template <class Request, class Response>
class AdminCall
    : public std::enable_shared_from_this<AdminCall<Request, Response>> {
 public:
  using Remote = void (Forwarder::*)(grpc::ClientContext*, const Request*,
                                     Response*,
                                     std::function<void(grpc::Status)>);

  AdminCall(std::shared_ptr<Call> call, const Request* request,
            Response* response, Remote remote, Controller* controller,
            Executor* executor, Peers* peers, std::shared_ptr<void> place)
      : place_(std::move(place)),
        call_(std::move(call)),
        request_(*request),
        response_(response),
        remote_(remote),
        controller_(controller),
        executor_(executor),
        peers_(peers),
        hops_(HopsOf(*call_->context())) {
    // Whoever forwards it, and whoever tries again, does it once.
    rpc::SetRequestId(&request_);
    deadline_ = std::min(call_->context()->deadline(),
                         std::chrono::system_clock::now() + kDefaultDeadline);
  }

  void Attempt() {
    if (call_->Expired()) {
      return call_->Finish(Fail(ErrorCode::kRequestTimedOut, "too late"));
    }
    if (std::chrono::system_clock::now() >= deadline_) {
      return call_->Finish(Fail(
          unknown_ ? quorum::kOutcomeUnknown : ErrorCode::kNotController,
          std::string("no active controller: is a majority of them "
                      "running?") +
              (unknown_ ? " Whether the change was made is unknown." : "")));
    }
    if (controller_->active()) return RunHere();
    quorum::Quorum* quorum = controller_->quorum();
    NodeId leader = quorum->leader();
    if (quorum::IsRemoved(quorum->status())) {
      return call_->Finish(
          Fail(ErrorCode::kNotController,
               "this controller is no member of the quorum any more"));
    }
    auto voter = quorum->FindVoter(leader);
    if (leader == kNoNode || leader == quorum->status().self || !voter) {
      return Retry();
    }
    if (hops_ >= kMaxHops) {
      return call_->Finish(Fail(controller_->NotActive()));
    }
    Forward(*voter);
  }

 private:
  // What an attempt in flight owns.
  struct Flight {
    grpc::ClientContext context;
    Response response;
    std::shared_ptr<Stub> stub;
    bool done = false;  // executor only
  };

  bool WorthAnother(ErrorCode code) {
    unknown_ |= code == quorum::kOutcomeUnknown;
    return code == ErrorCode::kNotController || code == quorum::kOutcomeUnknown;
  }

  void Retry() {
    executor_->PostAfter(
        kRetry, [self = this->shared_from_this()] { self->Attempt(); });
  }

  void RunHere() {
    controller_->Call(request_,
                      [self = this->shared_from_this()](Result<Response> r) {
                        if (!r && self->WorthAnother(r.error().code))
                          return self->Retry();
                        if (!r) return self->call_->Finish(Fail(r.error()));
                        *self->response_ = std::move(*r);
                        self->call_->Finish({});
                      });
  }

  void Forward(const quorum::Voter& voter) {
    auto flight = std::make_shared<Flight>();
    flight->stub = peers_->Find(voter);
    flight->context.set_deadline(deadline_);
    flight->context.AddMetadata(kHopsKey, std::to_string(hops_ + 1));
    (flight->stub->async()->*remote_)(
        &flight->context, &request_, &flight->response,
        [self = this->shared_from_this(), flight](grpc::Status status) {
          self->executor_->Post([self, flight, status] {
            self->Forwarded(flight.get(), status);
          });
        });
    Watch(flight, voter.id);
  }

  // Gives up on a controller that stopped leading without an answer.
  void Watch(std::shared_ptr<Flight> flight, NodeId leader) {
    executor_->PostAfter(kWatch,
                         [self = this->shared_from_this(), flight, leader] {
                           if (flight->done) return;
                           NodeId now = self->controller_->quorum()->leader();
                           if (now != leader || self->call_->Expired()) {
                             return flight->context.TryCancel();
                           }
                           self->Watch(flight, leader);
                         });
  }

  void Forwarded(Flight* flight, const grpc::Status& status) {
    flight->done = true;
    const auto& trailers = flight->context.GetServerTrailingMetadata();
    const auto code = trailers.find(rpc::kErrorCodeKey);
    // The connection broke, or was never there.
    unknown_ |= !status.ok() && code == trailers.end();
    if (!status.ok() &&
        WorthAnother(rpc::FromGrpc(status, &flight->context).code)) {
      return Retry();
    }
    // Not its own refusal, which says more.
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED &&
        code == trailers.end()) {
      return call_->Finish(Fail(ErrorCode::kUnsupportedVersion,
                                "the active controller runs a release that "
                                "does not know this call"));
    }
    if (status.ok()) {
      *response_ = std::move(flight->response);
    } else {
      if (code != trailers.end()) {
        call_->context()->AddTrailingMetadata(
            rpc::kErrorCodeKey,
            std::string(code->second.data(), code->second.size()));
      }
    }
    call_->FinishWith(status);
  }

  const std::shared_ptr<void> place_;  // among kMaxCalls; given back at the end
  const std::shared_ptr<Call> call_;
  Request request_;
  Response* const response_;
  const Remote remote_;
  Controller* const controller_;
  Executor* const executor_;
  Peers* const peers_;
  const int hops_;
  // An attempt has ended without saying whether it changed anything.
  bool unknown_ = false;
  Deadline deadline_;
};

class AdminService final : public admin_v1::Admin::CallbackService {
 public:
  AdminService(Controller* controller, Executor* executor,
               rpc::SecurityPtr security)
      : controller_(controller),
        executor_(executor),
        security_(security),
        peers_(std::move(security)) {}

#define TM_ADMIN_CALL(Name, How)                                         \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context,   \
                                 const admin_v1::Name##Request* request, \
                                 admin_v1::Name##Response* response)     \
      override {                                                         \
    return Serve("Admin/" #Name, context, request, response,             \
                 &Forwarder::Name);                                      \
  }
  TM_ADMIN_CALLS(TM_ADMIN_CALL)
#undef TM_ADMIN_CALL

 private:
  // Also where nobody leads: then it is needed most.
  void DescribeHere(std::shared_ptr<Call> call,
                    admin_v1::DescribeQuorumResponse* response) {
    executor_->Post(
        [call = std::move(call), response, controller = controller_] {
          *response = controller->QuorumSeenHere();
          call->Finish({});
        });
  }

  template <class Request, class Response>
  grpc::ServerUnaryReactor* Serve(
      const char* name, grpc::CallbackServerContext* context,
      const Request* request, Response* response,
      typename AdminCall<Request, Response>::Remote remote) {
    auto call = std::make_shared<Call>(context);
    auto* reactor = call->reactor();
    const Status may = rpc::CheckCaller(security_.get(), *context, name);
    if (!may) {
      call->Finish(may);
      return reactor;
    }
    if constexpr (std::is_same_v<Request, admin_v1::DescribeQuorumRequest>) {
      if (request->local()) {
        DescribeHere(std::move(call), response);
        return reactor;
      }
    }
    std::shared_ptr<void> place(
        nullptr, [calls = calls_](void*) { calls->fetch_sub(1); });
    if (calls_->fetch_add(1) >= kMaxCalls) {
      call->Finish(Fail(ErrorCode::kThrottlingQuotaExceeded,
                        "too many calls wait at this controller: try again"));
      return reactor;
    }
    auto admin = std::make_shared<AdminCall<Request, Response>>(
        std::move(call), request, response, remote, controller_, executor_,
        &peers_, std::move(place));
    executor_->Post([admin] { admin->Attempt(); });
    return reactor;
  }

  Controller* const controller_;
  Executor* const executor_;
  const rpc::SecurityPtr security_;
  Peers peers_;
  // Calls may outlive the service by a little.
  const std::shared_ptr<std::atomic<int>> calls_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAdminService(Controller* controller,
                                                Executor* executor,
                                                rpc::SecurityPtr security) {
  return std::make_unique<AdminService>(controller, executor,
                                        std::move(security));
}

}  // namespace tidemark::controller
