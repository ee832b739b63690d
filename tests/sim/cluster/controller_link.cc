#include "tests/sim/cluster/controller_link.h"

#include <grpcpp/support/client_callback.h>

#include <deque>
#include <utility>

#include "common/rpc/status_map.h"

namespace tidemark::sim {

using controller::v1::BrokerLifecycle;
using controller::v1::FeedMessage;
using controller::v1::SubscribeRequest;

namespace {

// A broken connection is noticed on the controllers' side.
constexpr Duration kBreakNoticed = std::chrono::milliseconds(20);

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "no controller");

NodeId ControllerOf(const std::string& address) {
  return static_cast<NodeId>(std::stoi(address.substr(0, address.find(':'))));
}

}  // namespace

// A subscription, both ends of it. Held by whoever may still call it.
class ControllerLink::Stream final
    : public grpc::ClientCallbackReader<FeedMessage>,
      public controller::FeedSink,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(ControllerLink& link, NodeId controller, SubscribeRequest request,
         grpc::ClientReadReactor<FeedMessage>* reactor)
      : link_(link),
        controller_(controller),
        life_(link.controllers_.life(controller)),
        request_(std::move(request)),
        reactor_(reactor),
        to_broker_(link.network_, controller, link.node_) {
    BindReactor(reactor);
  }

  // The broker's end.
  void StartCall() override {
    link_.network_.Send(link_.node_, controller_, [self = shared_from_this()] {
      if (!self->Lives()) return self->End(kUnavailable);
      self->executor().Post([self] { self->Subscribe(); });
    });
  }
  void Read(FeedMessage* message) override {
    to_fill_ = message;
    Deliver();
  }
  void AddHold(int) override {}
  void RemoveHold() override {}

  // The controller's end, on its executor.
  void Send(controller::FeedBytes bytes) override {
    if (!Lives()) return;
    auto message = std::make_shared<FeedMessage>();
    CHECK(message->ParseFromString(*bytes));
    to_broker_.Send([self = shared_from_this(), message] {
      self->arrived_.push_back(message);
      self->Deliver();
    });
  }
  void Close(const Error& error) override {
    if (!Lives()) return;
    to_broker_.Send([self = shared_from_this(), status = rpc::ToGrpc(error)] {
      self->End(status);
    });
    executor().Post([self = shared_from_this()] { self->Ended(); });
  }

  // The controller has died.
  void Lost() {
    link_.network_.Send(controller_, link_.node_, [self = shared_from_this()] {
      self->End(kUnavailable);
    });
  }
  NodeId controller() const { return controller_; }
  // The broker has gone, or subscribed anew.
  void Break() {
    link_.network_.scheduler().After(
        kBreakNoticed, [self = shared_from_this()] {
          if (!self->Lives()) return;
          self->executor().Post([self] { self->Ended(); });
        });
    End(grpc::Status(grpc::StatusCode::CANCELLED, "broken"));
  }

 private:
  // The one that was asked; another life of it knows of nothing.
  bool Lives() const {
    return life_ != 0 && link_.controllers_.life(controller_) == life_;
  }
  SimExecutor& executor() { return link_.controllers_.executor(controller_); }

  void Subscribe() {
    if (ended_) return;
    const Status subscribed = link_.controllers_.at(controller_)
                                  .Subscribe(request_, shared_from_this());
    if (!subscribed) return Close(subscribed.error());
    subscribed_ = true;
  }
  void Ended() {
    ended_ = true;
    if (!std::exchange(subscribed_, false)) return;
    link_.controllers_.at(controller_).FeedEnded(request_, this);
  }
  void Deliver() {
    if (reactor_ == nullptr || to_fill_ == nullptr || arrived_.empty()) return;
    *std::exchange(to_fill_, nullptr) = *arrived_.front();
    arrived_.pop_front();
    reactor_->OnReadDone(true);
  }
  void End(const grpc::Status& status) {
    auto* reactor = std::exchange(reactor_, nullptr);
    if (reactor == nullptr) return;
    reactor->OnDone(status);
    std::erase(link_.streams_, shared_from_this());
  }

  ControllerLink& link_;
  const NodeId controller_;
  const uint64_t life_;
  const SubscribeRequest request_;
  grpc::ClientReadReactor<FeedMessage>* reactor_;  // frees itself at the end
  Pipe to_broker_;
  std::deque<std::shared_ptr<const FeedMessage>> arrived_;
  FeedMessage* to_fill_ = nullptr;
  bool subscribed_ = false;  // by the controller
  bool ended_ = false;
};

using AsyncCalls = BrokerLifecycle::StubInterface::async_interface;

// gRPC's stub; only its asynchronous calls are called.
class ControllerLink::Stub final : public BrokerLifecycle::StubInterface,
                                   public AsyncCalls {
 public:
  Stub(ControllerLink& link, NodeId controller)
      : link_(link), controller_(controller) {}

  AsyncCalls* async() override { return this; }

#define TIDEMARK_SIM_CALL(Method)                                             \
  void Method(grpc::ClientContext* context,                                   \
              const controller::v1::Method##Request* request,                 \
              controller::v1::Method##Response* response,                     \
              std::function<void(grpc::Status)> done) override {              \
    Serve(context, request, response, std::move(done));                       \
  }                                                                           \
  void Method(grpc::ClientContext*, const controller::v1::Method##Request*,   \
              controller::v1::Method##Response*, grpc::ClientUnaryReactor*)   \
      override {}                                                             \
  grpc::Status Method(grpc::ClientContext*,                                   \
                      const controller::v1::Method##Request&,                 \
                      controller::v1::Method##Response*) override {           \
    return grpc::Status::CANCELLED;                                           \
  }                                                                           \
  grpc::ClientAsyncResponseReaderInterface<controller::v1::Method##Response>* \
      Async##Method##Raw(grpc::ClientContext*,                                \
                         const controller::v1::Method##Request&,              \
                         grpc::CompletionQueue*) override {                   \
    return nullptr;                                                           \
  }                                                                           \
  grpc::ClientAsyncResponseReaderInterface<controller::v1::Method##Response>* \
      PrepareAsync##Method##Raw(grpc::ClientContext*,                         \
                                const controller::v1::Method##Request&,       \
                                grpc::CompletionQueue*) override {            \
    return nullptr;                                                           \
  }
  TIDEMARK_SIM_CALL(Register)
  TIDEMARK_SIM_CALL(Heartbeat)
  TIDEMARK_SIM_CALL(AlterPartition)
  TIDEMARK_SIM_CALL(AssignReplicas)
  TIDEMARK_SIM_CALL(AllocateProducerIds)
#undef TIDEMARK_SIM_CALL

  void Subscribe(grpc::ClientContext*, const SubscribeRequest* request,
                 grpc::ClientReadReactor<FeedMessage>* reactor) override {
    // The one before was given up.
    for (const auto& old : std::vector(link_.streams_)) old->Break();
    link_.streams_.push_back(
        std::make_shared<Stream>(link_, controller_, *request, reactor));
  }
  grpc::ClientReaderInterface<FeedMessage>* SubscribeRaw(
      grpc::ClientContext*, const SubscribeRequest&) override {
    return nullptr;
  }
  grpc::ClientAsyncReaderInterface<FeedMessage>* AsyncSubscribeRaw(
      grpc::ClientContext*, const SubscribeRequest&, grpc::CompletionQueue*,
      void*) override {
    return nullptr;
  }
  grpc::ClientAsyncReaderInterface<FeedMessage>* PrepareAsyncSubscribeRaw(
      grpc::ClientContext*, const SubscribeRequest&,
      grpc::CompletionQueue*) override {
    return nullptr;
  }

 private:
  // Answered once, by the controller or by the deadline. Dead processes hear
  // of nothing.
  struct Waiting {
    std::function<void(grpc::Status)> done;
    const Process* process;
    void Finish(const grpc::Status& status) {
      if (auto call = std::exchange(done, nullptr); call && !process->dead) {
        call(status);
      }
    }
  };

  template <class Request, class Response>
  void Serve(grpc::ClientContext* context, const Request* request,
             Response* response, std::function<void(grpc::Status)> done) {
    auto waiting = std::make_shared<Waiting>();
    waiting->done = std::move(done);
    waiting->process = &link_.process_;
    Scheduler& scheduler = link_.network_.scheduler();
    const auto left = context->deadline() - std::chrono::system_clock::now();
    scheduler.After(left, [waiting] {
      waiting->Finish({grpc::StatusCode::DEADLINE_EXCEEDED, "too late"});
    });
    link_.network_.Send(
        link_.node_, controller_,
        [this, waiting, request = *request, response] {
          Controllers& all = link_.controllers_;
          const uint64_t life = all.life(controller_);
          if (life == 0) return Refuse(waiting);
          all.executor(controller_)
              .Post([this, &all, life, waiting, request, response] {
                all.at(controller_)
                    .Call(request, [this, &all, life, waiting,
                                    response](Result<Response> answer) {
                      if (all.life(controller_) != life) return;
                      link_.network_.Send(
                          controller_, link_.node_,
                          [waiting, response, answer] {
                            if (!waiting->done) return;
                            if (answer) *response = *answer;
                            waiting->Finish(answer
                                                ? grpc::Status::OK
                                                : rpc::ToGrpc(answer.error()));
                          });
                    });
              });
        });
  }

  // Nobody listens there.
  void Refuse(const std::shared_ptr<Waiting>& waiting) {
    link_.network_.Send(controller_, link_.node_,
                        [waiting] { waiting->Finish(kUnavailable); });
  }

  ControllerLink& link_;
  const NodeId controller_;
};

ControllerLink::ControllerLink(Network& network, Controllers& controllers,
                               NodeId node, const Process& process)
    : network_(network),
      controllers_(controllers),
      node_(node),
      process_(process) {
  controllers_.on_death.emplace_back(this,
                                     [this](NodeId id) { ControllerDied(id); });
  std::vector<std::string> addresses;
  for (int i = 0; i < kControllers; ++i) {
    addresses.push_back(std::to_string(kFirstController + i) + ":1");
  }
  channels_ = std::make_shared<ControllerChannels>(
      addresses, [this](const std::string& address) {
        auto peer = std::make_shared<ControllerPeer>();
        peer->address = address;
        peer->lifecycle = std::make_unique<Stub>(*this, ControllerOf(address));
        return peer;
      });
}

ControllerLink::~ControllerLink() {
  std::erase_if(controllers_.on_death,
                [this](const auto& each) { return each.first == this; });
}

void ControllerLink::ControllerDied(NodeId controller) {
  for (const auto& stream : std::vector(streams_)) {
    if (stream->controller() == controller) stream->Lost();
  }
}

void ControllerLink::Die() {
  for (const auto& stream : std::vector(streams_)) stream->Break();
}

}  // namespace tidemark::sim
