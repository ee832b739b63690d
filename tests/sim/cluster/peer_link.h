#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "broker/replication/fetcher.h"
#include "tests/sim/cluster/machine.h"

namespace tidemark::sim {

// A client's or follower's connection to a broker: what a socket and the
// listener's dispatch are in production. Requests arrive in order and are
// answered in order; a connection that loses anything, or whose peer dies,
// breaks, and everything that is out fails.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Answer = std::function<void()>;  // runs on the caller's side
  using Reply = std::function<void(Answer)>;
  // Serves a request at the broker, on one of its shards.
  using Serve = std::function<void(
      BrokerProcess& broker, SimExecutor& on,
      const std::shared_ptr<Cancellation>& cancellation, Reply reply)>;
  struct Caller {
    NodeId node = kNoNode;
    const Process* process = nullptr;  // null: lives until the end
    Executor* executor = nullptr;      // where answers and failures go
  };

  Connection(Network& network, Caller caller, NodeId to,
             std::function<BrokerProcess*(NodeId)> peer)
      : network_(network),
        caller_(caller),
        to_(to),
        peer_(std::move(peer)),
        there_(network, caller.node, to),
        back_(network, to, caller.node) {}

  // `failed` runs instead of an answer. After `limit` the connection breaks.
  void Send(Duration limit, Serve serve, std::function<void()> failed);
  // From this side; `failed` of what is out runs from a turn of its own.
  void Close();
  bool failed() const { return failed_; }
  // It failed since nobody listened.
  bool refused() const { return refused_; }
  // The broker's process is gone.
  void PeerDied();

 private:
  struct Call {
    std::function<void()> failed;
    std::optional<Answer> answer;  // waits for those before it
    bool over = false;             // answered, or failed
  };
  void Arrive(const Serve& serve, const std::shared_ptr<Call>& call);
  void AnswerInOrder();
  void Fail();
  void OnCaller(std::function<void()> run);

  Network& network_;
  const Caller caller_;
  const NodeId to_;
  const std::function<BrokerProcess*(NodeId)> peer_;
  Pipe there_, back_;
  bool failed_ = false;
  bool refused_ = false;
  std::vector<std::shared_ptr<Call>> waiting_;

  // The broker's end.
  BrokerProcess* broker_ = nullptr;
  size_t shard_ = 0;
  const std::shared_ptr<Cancellation> cancellation_ =
      std::make_shared<Cancellation>();
  std::deque<std::shared_ptr<Call>> serving_;
};

// A follower's connections to its leader.
std::unique_ptr<replication::FetchTransport> MakePeerLink(
    Machine& machine, const Process& process, NodeId to, Executor& executor);

}  // namespace tidemark::sim
