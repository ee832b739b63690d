// What of a cluster is about transactions.

#include <algorithm>

#include "broker/coordinator/internal_topic.h"
#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/list_transactions.h"
#include "tests/sim/cluster/cluster.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr NodeId kOperator = 490;
constexpr int kApplications = 4;

}  // namespace

void Cluster::CreateTransactionalTopics() {
  const std::string small = std::to_string(2048 + scheduler_.Below(6000));
  partitions_ =
      CreateTopic("inbox", kApplications, 3,
                  {{"min.insync.replicas", "2"}, {"segment.bytes", small}});
  payments_ =
      CreateTopic("payments", 3, 3,
                  {{"min.insync.replicas", "2"}, {"segment.bytes", "3000"}});
  transactional_ = payments_;
  // As brokers make them, but for the number of partitions.
  for (const auto& [name, partitions] :
       {std::pair{coordinator::kTransactionsTopic, 3},
        std::pair{coordinator::kOffsetsTopic, 2}}) {
    const auto made = CreateTopic(name, partitions, 3,
                                  {{"cleanup.policy", "compact"},
                                   {"compression.type", "producer"},
                                   {"segment.bytes", "6000"},
                                   {"min.insync.replicas", "2"}});
    transactional_.insert(transactional_.end(), made.begin(), made.end());
  }
}

void Cluster::StartApplications() {
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{1, true, -1, partitions_, 30}));
  consumers_.push_back(
      std::make_unique<Consumer>(side_, 1, partitions_, false));
  for (int id = 0; id < kApplications; ++id) {
    // Two share a group.
    applications_.push_back(std::make_unique<Application>(
        side_, transaction_history_,
        ApplicationOptions{id,
                           {"group-" + std::to_string(id / 2),
                            partitions_[static_cast<size_t>(id)]},
                           payments_}));
  }
  for (const bool again : {false, true}) {
    committed_readers_.push_back(std::make_unique<Consumer>(
        side_, again ? 12 : 11, payments_, again, true));
  }
  for (auto& producer : producers_) producer->Start();
  for (auto& application : applications_) application->Start();
  for (auto& reader : committed_readers_) reader->Start();
  for (auto& consumer : consumers_) consumer->Start();
}

// Nothing is under way, be it that its client is gone.
std::string Cluster::WhatIsOpen() {
  std::string open;
  for (const auto& partition : transactional_) {
    const auto* row = controllers_.image()->FindPartition(partition.topic,
                                                          partition.partition);
    const Copy copy = row->leader < 0 ? Copy() : Read(row->leader, partition);
    if (copy.there && copy.stable == copy.end) continue;
    open += " " + ToString(partition) + " is stable up to " +
            std::to_string(copy.stable) + ", high watermark " +
            std::to_string(copy.high_watermark) + ", end " +
            std::to_string(copy.end);
  }
  KafkaClient client(side_, kOperator);
  for (NodeId id = 1; id <= kMachines; ++id) {
    const auto listed = client.Call(
        id, server::HandleListTransactions, 1,
        kafka::ListTransactionsRequest{
            .state_filters = {"Ongoing", "PrepareCommit", "PrepareAbort"}});
    if (!listed || listed->error_code != 0) {
      open += " broker " + std::to_string(id) + " does not list transactions";
      continue;
    }
    for (const auto& one : listed->transaction_states) {
      open += " " + one.transactional_id + " is " + one.transaction_state;
    }
  }
  return open;
}

void Cluster::CheckTransactions() {
  KafkaClient client(side_, kOperator);
  std::map<Source, Offset> offsets;
  for (const auto& application : applications_) {
    const Instant end = scheduler_.Now() + seconds(20);
    auto offset = application->AskOffset(client);
    while (!offset && scheduler_.Now() < end) {
      scheduler_.Sleep(milliseconds(50));
      offset = application->AskOffset(client);
    }
    if (!offset) {
      return history_.Fail("the offsets of group " +
                           application->source().group + " cannot be had");
    }
    offsets[application->source()] = *offset;
  }
  transaction_history_.Check(offsets);
}

}  // namespace tidemark::sim
