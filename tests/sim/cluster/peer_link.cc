#include "tests/sim/cluster/peer_link.h"

#include <utility>

namespace tidemark::sim {

using replication::FetchTransport;

void Connection::OnCaller(std::function<void()> run) {
  if (caller_.process != nullptr && caller_.process->dead) return;
  caller_.executor->Post(std::move(run));
}

void Connection::Send(Duration limit, Serve serve,
                      std::function<void()> failed) {
  auto call = std::make_shared<Call>();
  call->failed = std::move(failed);
  waiting_.push_back(call);
  const auto self = shared_from_this();
  there_.Send(
      [self, serve = std::move(serve), call] { self->Arrive(serve, call); });
  network_.scheduler().After(limit, [self, call] {
    if (!call->over) self->Fail();
  });
}

// On no thread.
void Connection::Arrive(const Serve& serve, const std::shared_ptr<Call>& call) {
  if (failed_) return;
  BrokerProcess* now = peer_(to_);
  if (broker_ == nullptr && now != nullptr && now->listening()) {
    broker_ = now;
    shard_ = static_cast<size_t>(
        network_.scheduler().Below(static_cast<int64_t>(now->shards())));
    now->Serves(shared_from_this());
  }
  if (broker_ == nullptr || broker_ != now || !now->listening()) {
    refused_ = broker_ == nullptr;
    return PeerDied();
  }
  serving_.push_back(call);
  SimExecutor& on = broker_->shard(shard_);
  on.Post([self = shared_from_this(), serve, call, &on] {
    if (self->cancellation_->cancelled()) return;
    serve(*self->broker_, on, self->cancellation_, [self, call](Answer answer) {
      call->answer = std::move(answer);
      self->AnswerInOrder();
    });
  });
}

// At the broker.
void Connection::AnswerInOrder() {
  while (!serving_.empty() && serving_.front()->answer) {
    const auto call = std::move(serving_.front());
    serving_.pop_front();
    if (broker_->process().dead) continue;
    back_.Send([self = shared_from_this(), call] {
      self->OnCaller([self, call] {
        if (std::exchange(call->over, true)) return;
        std::erase(self->waiting_, call);
        (*call->answer)();
      });
    });
  }
}

void Connection::PeerDied() {
  if (!network_.Reaches(to_, caller_.node)) return;
  network_.scheduler().After(network_.Delay(),
                             [self = shared_from_this()] { self->Fail(); });
}

void Connection::Fail() {
  if (std::exchange(failed_, true)) return;
  const auto lost = std::exchange(waiting_, {});
  OnCaller([lost] {
    for (const auto& call : lost) {
      if (!std::exchange(call->over, true)) call->failed();
    }
  });
  // The broker learns of it, if anything reaches it.
  if (broker_ == nullptr) return;
  network_.Send(caller_.node, to_, [self = shared_from_this()] {
    BrokerProcess* broker = self->broker_;
    if (!broker->running()) return;
    broker->shard(self->shard_).Post([self] { self->cancellation_->Cancel(); });
  });
}

void Connection::Close() { Fail(); }

namespace {

constexpr Duration kSilence = std::chrono::seconds(2);

class PeerLink final : public FetchTransport {
 public:
  PeerLink(Machine& machine, const Process& process, NodeId to,
           Executor& executor)
      : machine_(machine), process_(process), to_(to), executor_(executor) {}
  ~PeerLink() override { Close(); }

  void Send(kafka::FetchRequest request, Done done) override {
    if (connection_ == nullptr || connection_->failed()) {
      connection_ = std::make_shared<Connection>(
          machine_.network(),
          Connection::Caller{machine_.id(), &process_, &executor_}, to_,
          machine_.peer());
    }
    machine_.network().CountFetch(machine_.id(), to_);
    const Duration limit =
        std::chrono::milliseconds(request.max_wait_ms) + kSilence;
    auto shared = std::make_shared<Done>(std::move(done));
    connection_->Send(
        limit,
        [request = std::move(request), shared](
            BrokerProcess& broker, SimExecutor& on,
            const std::shared_ptr<Cancellation>& cancellation,
            const Connection::Reply& reply) {
          replication::FetchCall call;
          call.version = kafka::FetchRequest::kMaxVersion;
          call.listener = "PLAINTEXT";
          call.on = &on;
          call.cancellation = cancellation;
          broker.core().fetch().Fetch(
              call, request, [shared, reply](kafka::FetchResponse response) {
                reply([shared, response = std::move(response)] {
                  (*shared)(response);
                });
              });
        },
        [shared, link = std::weak_ptr<Connection>(connection_)] {
          const auto connection = link.lock();
          const bool refused = connection != nullptr && connection->refused();
          (*shared)(Fail(refused ? ErrorCode::kBrokerNotAvailable
                                 : ErrorCode::kNetworkException,
                         "broken"));
        });
  }

  void Close() override {
    if (connection_ != nullptr) connection_->Close();
    connection_ = nullptr;
  }

 private:
  Machine& machine_;
  const Process& process_;
  const NodeId to_;
  Executor& executor_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<FetchTransport> MakePeerLink(Machine& machine,
                                             const Process& process, NodeId to,
                                             Executor& executor) {
  return std::make_unique<PeerLink>(machine, process, to, executor);
}

}  // namespace tidemark::sim
