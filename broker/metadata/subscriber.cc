#include "broker/metadata/subscriber.h"

#include <glog/logging.h>

#include <atomic>

#include "broker/metadata/controller_channels.h"
#include "common/base/result.h"
#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"

namespace tidemark {
namespace {

using controller::v1::FeedMessage;
using controller::v1::SubscribeRequest;
using std::chrono::milliseconds;

constexpr Duration kReconnect = milliseconds(20);
constexpr Duration kReconnectAtStart = milliseconds(10);
constexpr Duration kReconnectSlow = milliseconds(50);
constexpr Duration kSilenceCheck = milliseconds(250);
// Subscriptions whose messages did not fit before a snapshot is asked for
// instead of the next offset. Controllers that do not answer are no reason.
constexpr int kMisfitsBeforeSnapshot = 3;

}  // namespace

// Everything but `stopped` is touched on the executor only.
struct Subscriber::State : public std::enable_shared_from_this<State> {
  State(SubscriberOptions o, std::shared_ptr<ControllerChannels> c, Executor& e,
        Publish p)
      : options(std::move(o)),
        channels(std::move(c)),
        executor(e),
        publish(std::move(p)) {}

  void Post(std::function<void(State&)> step) {
    executor.Post([self = shared_from_this(), step = std::move(step)] {
      if (!self->stopped.load()) step(*self);
    });
  }
  void PostAfter(Duration delay, std::function<void(State&)> step) {
    executor.PostAfter(delay,
                       [self = shared_from_this(), step = std::move(step)] {
                         if (!self->stopped.load()) step(*self);
                       });
  }

  void Connect();
  void OnMessage(uint64_t from, const FeedMessage& message);
  void OnEnd(uint64_t from, const grpc::Status& status);
  // Gives up the current stream and takes up another soon.
  void Leave(const std::string& why, bool rotate);
  void WatchSilence(uint64_t watched);
  Status Take(const FeedMessage& message);
  Status TakeSnapshot(const FeedMessage& message);
  Status TakeBatches(const FeedMessage& message);

  const SubscriberOptions options;
  const std::shared_ptr<ControllerChannels> channels;
  Executor& executor;
  const Publish publish;
  std::atomic<bool> stopped = false;

  std::shared_ptr<ControllerPeer> peer;
  std::shared_ptr<grpc::ClientContext> context;
  uint64_t generation = 0;  // of the current stream
  Instant last_message;
  bool connected = false;
  int attempts = 0;  // subscriptions, and
  int misfits = 0;   // bad messages, since something was applied
  int64_t controller_epoch = -1;
  metadata::ImagePtr image = std::make_shared<const metadata::Image>();
};

// One stream; deletes itself when gRPC is done with it.
class Subscriber::Stream final : public grpc::ClientReadReactor<FeedMessage> {
 public:
  Stream(std::shared_ptr<void> under_way, std::shared_ptr<State> state,
         std::shared_ptr<ControllerPeer> peer,
         std::shared_ptr<grpc::ClientContext> context, uint64_t generation,
         SubscribeRequest request)
      : under_way_(std::move(under_way)),
        state_(std::move(state)),
        peer_(std::move(peer)),
        context_(std::move(context)),
        generation_(generation),
        request_(std::move(request)) {}

  void Begin() {
    peer_->lifecycle->async()->Subscribe(context_.get(), &request_, this);
    StartRead(message_.get());
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;  // OnDone follows
    state_->Post([from = generation_, message = std::move(message_)](
                     State& state) { state.OnMessage(from, *message); });
    message_ = std::make_shared<FeedMessage>();
    StartRead(message_.get());
  }

  void OnDone(const grpc::Status& status) override {
    state_->Post([from = generation_, status](State& state) {
      state.OnEnd(from, status);
    });
    delete this;
  }

 private:
  const std::shared_ptr<void> under_way_;  // ends last
  const std::shared_ptr<State> state_;
  const std::shared_ptr<ControllerPeer> peer_;
  const std::shared_ptr<grpc::ClientContext> context_;
  const uint64_t generation_;
  const SubscribeRequest request_;
  std::shared_ptr<FeedMessage> message_ = std::make_shared<FeedMessage>();
};

void Subscriber::State::Connect() {
  context = std::make_shared<grpc::ClientContext>();
  auto under_way = channels->Begin(context);
  if (under_way == nullptr) return;  // this broker is stopping
  peer = channels->Current();
  connected = true;
  last_message = executor.Now();
  SubscribeRequest request;
  request.set_broker_id(options.node_id);
  request.set_cluster_id(options.cluster_id);
  request.set_incarnation_id(options.incarnation.ToBytes());
  const bool from_start =
      image->offset() == 0 || misfits >= kMisfitsBeforeSnapshot;
  request.set_next_offset(from_start ? 0 : image->offset() + 1);
  ++generation;
  (new Stream(std::move(under_way), shared_from_this(), peer, context,
              generation, std::move(request)))
      ->Begin();
  WatchSilence(generation);
}

void Subscriber::State::WatchSilence(uint64_t watched) {
  PostAfter(kSilenceCheck, [watched](State& state) {
    if (state.generation != watched || !state.connected) return;
    if (state.executor.Now() - state.last_message >=
        state.options.silence_limit) {
      return state.Leave("silence", true);
    }
    state.WatchSilence(watched);
  });
}

void Subscriber::State::OnMessage(uint64_t from, const FeedMessage& message) {
  if (from != generation || !connected) return;
  last_message = executor.Now();
  if (Status taken = Take(message); !taken) {
    ++misfits;
    Leave(ToString(taken.error()),
          taken.error().code == ErrorCode::kStaleControllerEpoch);
  }
}

void Subscriber::State::OnEnd(uint64_t from, const grpc::Status& status) {
  if (from != generation || !connected) return;
  channels->Failed(*peer, status.error_message());
  Leave(status.error_message(), false);
}

void Subscriber::State::Leave(const std::string& why, bool rotate) {
  LOG_EVERY_T(INFO, 5) << "metadata feed interrupted controller="
                       << peer->address << " offset=" << image->offset()
                       << " reason=\"" << why << '"';
  if (rotate) channels->Failed(*peer, "");
  connected = false;
  ++generation;
  context->TryCancel();
  ++attempts;
  Duration pause = kReconnectSlow;
  if (!channels->reached())
    pause = kReconnectAtStart;
  else if (attempts <= static_cast<int>(channels->count()))
    pause = kReconnect;
  PostAfter(pause, [](State& state) {
    if (!state.connected) state.Connect();
  });
}

Status Subscriber::State::Take(const FeedMessage& message) {
  const bool keep_alive = message.batches_size() == 0 && !message.snapshot();
  if (message.controller_epoch() < controller_epoch &&
      !(keep_alive && message.controller_epoch() == 0)) {
    return Fail(ErrorCode::kStaleControllerEpoch,
                "epoch " + std::to_string(message.controller_epoch()) +
                    " after epoch " + std::to_string(controller_epoch));
  }
  controller_epoch = std::max(controller_epoch, message.controller_epoch());
  if (keep_alive) return {};
  return message.snapshot() ? TakeSnapshot(message) : TakeBatches(message);
}

Status Subscriber::State::TakeSnapshot(const FeedMessage& message) {
  if (message.batches_size() != 1 || message.last_offset() < image->offset()) {
    return Fail(ErrorCode::kInvalidRequest,
                "snapshot of offset " + std::to_string(message.last_offset()) +
                    " after offset " + std::to_string(image->offset()));
  }
  TM_ASSIGN_OR_RETURN(
      metadata::ImagePtr next,
      metadata::FromRecords(message.batches(0), message.last_offset()));
  auto delta = std::make_shared<const metadata::Delta>(
      metadata::Difference(*image, *next));
  image = std::move(next);
  attempts = misfits = 0;
  LOG(INFO) << "metadata snapshot offset=" << image->offset()
            << " controller_epoch=" << controller_epoch
            << " topics=" << image->topics().size();
  publish(image, std::move(delta));
  return {};
}

Status Subscriber::State::TakeBatches(const FeedMessage& message) {
  const MetadataOffset expected = image->offset() + 1;
  if (message.base_offset() != expected ||
      message.last_offset() - message.base_offset() + 1 !=
          message.batches_size()) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "gap: offsets " + std::to_string(message.base_offset()) +
                    " to " + std::to_string(message.last_offset()) + " where " +
                    std::to_string(expected) + " comes next");
  }
  metadata::ImageBuilder builder(image);
  MetadataOffset offset = expected;
  for (const auto& batch : message.batches()) {
    for (const auto& record : batch.records()) {
      TM_RETURN_IF_ERROR(builder.Apply(record, offset));
    }
    ++offset;
  }
  auto delta = std::make_shared<metadata::Delta>();
  image = builder.Build(message.last_offset(), delta.get());
  attempts = misfits = 0;
  publish(image, std::move(delta));
  return {};
}

Subscriber::Subscriber(SubscriberOptions options,
                       std::shared_ptr<ControllerChannels> channels,
                       Executor& executor, Publish publish)
    : state_(std::make_shared<State>(std::move(options), std::move(channels),
                                     executor, std::move(publish))) {}

Subscriber::~Subscriber() { Stop(); }

void Subscriber::Start() {
  state_->Post([](State& state) { state.Connect(); });
}

void Subscriber::Stop() {
  if (state_->stopped.exchange(true)) return;
  state_->executor.Post([state = state_] {
    if (state->context != nullptr) state->context->TryCancel();
  });
}

}  // namespace tidemark
