#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster/application.h"
#include "tests/sim/cluster/client.h"
#include "tests/sim/cluster/inspector.h"

namespace tidemark::sim {

// Made and removed again and again; nobody writes to it.
inline constexpr char kPassing[] = "passing";
inline constexpr int kPassingPartitions = 4;
// What it has may be lost: any replica may lead it.
inline constexpr char kLoose[] = "loose";
inline constexpr int kMachines = 4;

// The machines, controllers and clients of one simulation, and what an
// operator does and sees.
class Cluster {
 public:
  // `transactions`: clients are applications that consume, transform and
  // produce in them, and few others.
  Cluster(Scheduler& scheduler, bool transactions);
  ~Cluster();

  // All of these by the operator's thread.
  void Start();
  void FinishProducing();
  // Everybody ends: nothing runs any more.
  void Stop();

  // Ends every fault: networks, pauses, disks; broken disks are replaced by
  // good ones with what had been synced; whoever does not run is started.
  void Repair();
  // Waits until every replica is in sync everywhere; false, and a failure, when
  // that takes longer than `limit`.
  bool AwaitHealth(Duration limit, const std::string& after);
  // Until producers have nothing left to send and consumers have seen it all.
  bool AwaitQuiet(Duration limit);
  // "" or what is not well.
  std::string Ailment();
  // Makes or removes a topic that nobody uses; its name comes again and again.
  void MakeOrRemoveTopic();
  // Gives a topic another setting; Repair takes it back.
  void ChangeConfig();
  // Moves a partition to other brokers, or back when it is on its way.
  void MovePartition();
  // Another replica leads, and the one that has led so far goes on to run.
  void MoveLeader(const TopicPartition& partition);
  // Orders elections, unclean where there is no leader; nothing chosen: of all.
  void ElectLeaders(bool unclean,
                    const std::vector<TopicPartition>& chosen = {});
  // The replicas of every partition are the same (B-16), and everything
  // acknowledged is there.
  void CheckLogs();

  Scheduler& scheduler() { return scheduler_; }
  Network& network() { return network_; }
  Controllers& controllers() { return controllers_; }
  History& history() { return history_; }
  const Inspector& inspector() const { return inspector_; }
  Machine& machine(NodeId id) {
    return *machines_[static_cast<size_t>(id - 1)];
  }
  Machine& AnyMachine();
  int machines() const { return static_cast<int>(machines_.size()); }
  // With clients that are none of transactions.
  const std::vector<TopicPartition>& partitions() const { return partitions_; }
  // And the others: what transactions are written to, what coordinators keep.
  const std::vector<TopicPartition>& transactional() const {
    return transactional_;
  }
  const TopicPartition& AnyPartition();
  bool transactions() const { return transactions_; }
  uint64_t transactions_committed() const {
    return static_cast<uint64_t>(transaction_history_.committed());
  }

  // Machines whose disk has been made to fail, so that a directory may go
  // offline.
  std::set<NodeId> broken;
  // What was told of `from` and above may be lost, by what was done.
  void Rewind(const TopicPartition& partition, Offset from);

 private:
  struct Record {
    LeaderEpoch epoch = -1;
    std::string value;
    bool operator==(const Record&) const = default;
  };
  struct Copy {
    Offset start = 0, high_watermark = 0, stable = 0, end = 0;
    std::map<Offset, Record> records;
    bool there = false;
  };
  using Configs = std::map<std::string, std::string>;
  // Returns its partitions.
  std::vector<TopicPartition> CreateTopic(const std::string& name,
                                          int partitions, int replicas,
                                          Configs configs);
  // No brokers: what is under way is taken back.
  void Reassign(const TopicPartition& partition,
                const std::vector<NodeId>& brokers);
  void CreatePlainTopics();
  void CreateTransactionalTopics();
  void StartApplications();
  void CheckTransactions();
  std::string WhatIsOpen();
  std::string WhatIsMissing(const Consumer& consumer,
                            const std::vector<TopicPartition>& partitions);
  std::string AilmentOf(const std::vector<TopicPartition>& partitions);
  // Keys that are not there get their defaults.
  void AlterConfigs(const std::string& topic, const Configs& from,
                    const Configs& to);
  Configs ConfigsOf(const std::string& topic);
  // As they were made, and committed.
  void RestoreConfigs();
  void StartClients();
  // What an operator does about partitions that have no leader although all
  // brokers are there, and of which nobody was told anything yet: all power was
  // cut before one of their logs was there for good, and then nobody can know
  // that it was empty (B-30, docs/durability.md).
  void ElectForEmpty();
  Copy Read(NodeId node, const TopicPartition& partition);
  void CheckPartition(const TopicPartition& partition);
  // Runs `work` on the executor, and waits for it.
  void On(SimExecutor& executor, std::function<void()> work);

  Scheduler& scheduler_;
  const bool transactions_;
  Network network_;
  Controllers controllers_;
  History history_;
  TransactionHistory transaction_history_;
  Inspector inspector_;
  Process clients_{"clients"};
  SimExecutor executor_;
  std::vector<std::unique_ptr<Machine>> machines_;
  ClientSide side_;
  std::vector<TopicPartition> partitions_;
  std::map<std::string, Configs> made_with_;  // by topic
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<TopicPartition> transactional_, payments_;
  std::vector<std::unique_ptr<Application>> applications_;
  std::vector<std::unique_ptr<Consumer>> committed_readers_;
};

// All by the operator's thread.
// Lets one fault of all kinds begin; most end by themselves after a while.
void CauseFault(Cluster& cluster);
// Begins and ends with everybody well.
void PlayScenario(Cluster& cluster);
// Ends a broker's life and starts another after a while.
void Restart(Cluster& cluster, Machine& machine, Machine::End how);
// For who reads the log of a run.
void Tell(const std::string& what);

}  // namespace tidemark::sim
