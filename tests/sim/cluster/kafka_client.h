#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "broker/kafka/handler.h"
#include "common/base/error_code.h"
#include "tests/sim/cluster/client.h"

namespace tidemark::sim {

template <class Request, class Response>
using Handler = void (*)(server::RequestContext, Request,
                         server::Reply<Response>);

// What runs at a broker for a request, once it has arrived: the production
// handler, in front of all the rest. `done` on the caller's side.
template <class Request, class Response>
Connection::Serve ServeBy(Handler<Request, Response> handler, int16_t version,
                          Request request, std::function<void(Response)> done) {
  return [handler, version, request = std::move(request), done](
             BrokerProcess& process, SimExecutor& on,
             const std::shared_ptr<Cancellation>& cancellation,
             const Connection::Reply& reply) {
    server::RequestContext context;
    context.version = version;
    context.client_id = "sim";
    context.listener = "PLAINTEXT";
    context.executor = &on;
    context.received = on.Now();
    context.cancellation = cancellation;
    context.services = &process.services();
    handler(std::move(context), request, [reply, done](Response response) {
      reply([done, response = std::move(response)] { done(response); });
    });
  };
}

// One thread's way to the brokers: it waits for each answer. Now and then a
// connection breaks, and a request that it allows to be repeated arrives a
// second time, long after.
class KafkaClient {
 public:
  KafkaClient(ClientSide& side, NodeId self) : side_(side), self_(self) {}

  // nullopt: nobody knows what became of it.
  template <class Request, class Response>
  std::optional<Response> Call(NodeId broker,
                               Handler<Request, Response> handler,
                               int16_t version, const Request& request,
                               bool repeatable = false);
  // Many at once, in order to each broker: `done` for every answer, or for none
  // with nullopt; Await waits until all have come.
  template <class Request, class Response>
  void Send(NodeId broker, Handler<Request, Response> handler, int16_t version,
            const Request& request, bool repeatable,
            std::function<void(std::optional<Response>)> done);
  void Await();

  // Something of what was sent may arrive yet.
  bool in_doubt() const { return in_doubt_; }
  void ForgetDoubt() { in_doubt_ = false; }

 private:
  static constexpr Duration kLimit = std::chrono::milliseconds(2500);
  struct Waiting {
    int left = 0;
    Fiber* fiber = nullptr;
  };

  void Repeat(NodeId broker, Connection::Serve serve);

  ClientSide& side_;
  const NodeId self_;
  std::map<NodeId, std::shared_ptr<Connection>> links_;
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
  bool in_doubt_ = false;
};

inline void KafkaClient::Await() {
  waiting_->fiber = side_.scheduler.self();
  while (waiting_->left > 0) side_.scheduler.Park(std::nullopt);
  waiting_->fiber = nullptr;
}

inline void KafkaClient::Repeat(NodeId broker, Connection::Serve serve) {
  in_doubt_ = true;
  const Duration late = side_.scheduler.Between(std::chrono::milliseconds(1),
                                                std::chrono::seconds(3));
  side_.executor.PostAfter(
      late, [&side = side_, self = self_, broker, serve = std::move(serve)] {
        const auto link = side.Connect(self, broker);
        link->Send(kLimit, serve, [] {});
      });
}

template <class Request, class Response>
void KafkaClient::Send(NodeId broker, Handler<Request, Response> handler,
                       int16_t version, const Request& request, bool repeatable,
                       std::function<void(std::optional<Response>)> done) {
  auto& link = links_[broker];
  if (link == nullptr || link->failed()) link = side_.Connect(self_, broker);
  ++waiting_->left;
  const auto over = [this, waiting = waiting_] {
    --waiting->left;
    if (waiting->fiber != nullptr) side_.scheduler.Wake(waiting->fiber);
  };
  link->Send(kLimit,
             ServeBy<Request, Response>(handler, version, request,
                                        [done, over](Response response) {
                                          done(std::move(response));
                                          over();
                                        }),
             [this, done, over] {
               in_doubt_ = true;
               done(std::nullopt);
               over();
             });
  if (side_.scheduler.Chance(8)) {
    side_.executor.PostAfter(side_.network.Delay() * 2,
                             [link = links_[broker]] { link->Close(); });
  }
  if (!repeatable || !side_.scheduler.Chance(40)) return;
  Repeat(broker, ServeBy<Request, Response>(handler, version, request,
                                            [](const Response&) {}));
}

template <class Request, class Response>
std::optional<Response> KafkaClient::Call(NodeId broker,
                                          Handler<Request, Response> handler,
                                          int16_t version,
                                          const Request& request,
                                          bool repeatable) {
  std::optional<Response> answer;
  Send<Request, Response>(
      broker, handler, version, request, repeatable,
      [&answer](std::optional<Response> response) { answer = response; });
  Await();
  return answer;
}

}  // namespace tidemark::sim
