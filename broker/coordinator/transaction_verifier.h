#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/coordinator/peer_calls.h"
#include "broker/coordinator/transaction_coordinator.h"

namespace tidemark::coordinator {

// Asks the coordinators of transactions, on whatever broker, whether a
// transaction holds partitions, or has it hold them (KIP-890): before the first
// batch of a transaction is appended to a partition, so that none comes behind
// its end and stays open for ever. Any thread.
class TransactionVerifier {
 public:
  virtual ~TransactionVerifier() = default;

  // `done` once, on `on`. A coordinator that cannot be reached, or moves, is
  // looked for again for two seconds; then its error is the answer.
  virtual void Ask(AddPartitionsRequest request, Executor& on,
                   Done<AddPartitionsResult> done) = 0;
};

// Questions about one transactional id are answered in the order they came, so
// that batches stay in theirs; those that come while one is under way are asked
// together.
//
// Everything but Ask on the executor of the calls. Destroyed when that has
// stopped.
class CoordinatorVerifier final : public TransactionVerifier {
 public:
  CoordinatorVerifier(NodeId self, ImageHolder& metadata, PeerCalls& peers,
                      TransactionCoordinator& here)
      : self_(self),
        metadata_(metadata),
        peers_(peers),
        executor_(peers.executor()),
        here_(here) {}

  void Ask(AddPartitionsRequest request, Executor& on,
           Done<AddPartitionsResult> done) override;

 private:
  struct Question {
    AddPartitionsRequest request;
    Instant deadline;
    Done<AddPartitionsResult> done;  // on the executor
  };
  struct Line {
    std::deque<Question> waiting;
    std::vector<Question> out;  // asked together
  };

  void Next(const std::string& id);
  void Send(const std::string& id);
  AddPartitionsRequest Together(const std::vector<Question>& questions) const;
  void Answered(const std::string& id, AddPartitionsResult result);
  // The broker that coordinates the id; kNoNode: not known.
  NodeId CoordinatorOf(const std::string& id) const;

  const NodeId self_;
  ImageHolder& metadata_;
  PeerCalls& peers_;
  Executor& executor_;
  TransactionCoordinator& here_;
  std::map<std::string, Line> lines_;
};

}  // namespace tidemark::coordinator
