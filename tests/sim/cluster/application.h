#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster/kafka_client.h"
#include "tests/sim/cluster/transaction_history.h"

namespace tidemark::sim {

struct ApplicationOptions {
  int id = 0;
  Source source;
  std::vector<TopicPartition> outputs;
};

// Consumes, transforms and produces under one transactional id, again and
// again, as whoever has the id at the time: an instance that errs, or hears
// that it is fenced, ends, and another takes its place. Sometimes that one
// begins while the one before still goes on, and sometimes an instance vanishes
// amid a transaction, or falls asleep until it has timed out.
//
// Each instance is a client of Kafka's old protocol or of the new one
// (KIP-890). One of the old protocol has no protection from what it sent long
// ago, so where it does not know what became of a request it goes on with
// another epoch.
class Application {
 public:
  Application(ClientSide& side, TransactionHistory& history,
              ApplicationOptions options)
      : side_(side), history_(history), options_(std::move(options)) {}

  void Start();
  // Begins no more transactions.
  void Finish() { finishing_ = true; }
  // "" when nobody of it does anything.
  std::string Describe() const;
  // Anybody's thread. nullopt: it is not known now.
  std::optional<Offset> AskOffset(KafkaClient& client) const;

  const Source& source() const { return options_.source; }
  std::string transactional_id() const {
    return "app-" + std::to_string(options_.id);
  }

 private:
  class Instance;
  void Supervise();
  void Launch();

  ClientSide& side_;
  TransactionHistory& history_;
  const ApplicationOptions options_;
  int instances_ = 0;  // ever
  int running_ = 0;
  bool finishing_ = false;
  bool supervised_ = false;
  std::string doing_;
};

}  // namespace tidemark::sim
