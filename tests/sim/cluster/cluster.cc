#include "tests/sim/cluster/cluster.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/record/batch_reader.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr size_t kAllBytes = size_t{1} << 24;
constexpr char kNoLeader[] = " has no leader";
// Longer than any election takes that needs no order.
constexpr Duration kUntilOrdered = seconds(5);

}  // namespace

Cluster::Cluster(Scheduler& scheduler, bool transactions)
    : scheduler_(scheduler),
      transactions_(transactions),
      network_(scheduler),
      controllers_(scheduler, transactions),
      transaction_history_(history_),
      inspector_(controllers_, history_),
      executor_(scheduler, &clients_, "clients"),
      side_{scheduler,    network_,
            controllers_, history_,
            executor_,    [this](NodeId id) { return machine(id).broker(); },
            kMachines,    transaction_history_} {
  network_.on_flood = [this](const std::string& what) { history_.Fail(what); };
  for (NodeId id = 1; id <= kMachines; ++id) {
    machines_.push_back(std::make_unique<Machine>(
        network_, controllers_, id, transactions_,
        [this](NodeId peer) { return machine(peer).broker(); }));
    machines_.back()->on_task = [this](BrokerProcess& broker, size_t shard) {
      inspector_.Look(broker, shard);
    };
  }
}

Cluster::~Cluster() = default;

Machine& Cluster::AnyMachine() {
  return machine(1 + static_cast<NodeId>(scheduler_.Below(machines())));
}

const TopicPartition& Cluster::AnyPartition() {
  const auto& of =
      transactions_ && scheduler_.Chance(850) ? transactional_ : partitions_;
  return of[static_cast<size_t>(
      scheduler_.Below(static_cast<int64_t>(of.size())))];
}

void Cluster::On(SimExecutor& executor, std::function<void()> work) {
  bool done = false;
  Fiber* self = scheduler_.self();
  executor.Post([&] {
    work();
    done = true;
    scheduler_.Wake(self);
  });
  while (!done) scheduler_.Park(std::nullopt);
}

void Cluster::Start() {
  for (auto& machine : machines_) machine->StartBroker();
  const Instant limit = scheduler_.Now() + seconds(10);
  const auto unfenced = [&] {
    return std::ranges::count_if(
        controllers_.image()->brokers(),
        [](const auto& broker) { return !broker.second->fenced; });
  };
  while (unfenced() < kMachines && scheduler_.Now() < limit) {
    scheduler_.Sleep(milliseconds(50));
  }
  if (transactions_) {
    CreateTransactionalTopics();
    StartApplications();
  } else {
    CreatePlainTopics();
    StartClients();
  }
}

void Cluster::CreatePlainTopics() {
  const std::string small = std::to_string(2048 + scheduler_.Below(6000));
  const auto create = [this](const std::string& name, int partitions,
                             int replicas, Configs configs) {
    for (auto& partition : CreateTopic(name, partitions, replicas, configs)) {
      partitions_.push_back(std::move(partition));
    }
  };
  create("orders", 5, 3,
         {{"min.insync.replicas", "2"}, {"segment.bytes", small}});
  create("clicks", 3, 3,
         {{"min.insync.replicas", "1"},
          {"segment.bytes", "4096"},
          {"retention.bytes", "30000"}});
  create("lines", 2, 2, {{"segment.ms", "3000"}});
  create(
      kLoose, 2, 2,
      {{"unclean.leader.election.enable", "true"}, {"segment.bytes", "4096"}});
}

void Cluster::StartClients() {
  std::vector<TopicPartition> orders, clicks, lines, loose;
  for (const auto& partition : partitions_) {
    (partition.topic == "orders"   ? orders
     : partition.topic == "clicks" ? clicks
     : partition.topic == kLoose   ? loose
                                   : lines)
        .push_back(partition);
  }
  std::vector<TopicPartition> some = clicks;
  some.insert(some.end(), orders.begin(), orders.begin() + 2);
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{1, true, -1, orders, 100}));
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{2, true, -1, some, 100}));
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{3, false, -1, partitions_, 40}));
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{4, false, 1, lines, 40}));
  producers_.push_back(std::make_unique<Producer>(
      side_, ProducerOptions{5, false, -1, loose, 20}));
  consumers_.push_back(
      std::make_unique<Consumer>(side_, 1, partitions_, false));
  consumers_.push_back(std::make_unique<Consumer>(side_, 2, partitions_, true));
  for (auto& producer : producers_) producer->Start();
  for (auto& consumer : consumers_) consumer->Start();
}

void Cluster::FinishProducing() {
  for (auto& producer : producers_) producer->Finish();
  for (auto& application : applications_) application->Finish();
}

void Cluster::Stop() {
  side_.stopping = true;
  const auto rests = [](const auto& application) {
    return application->Describe().empty();
  };
  while (!std::ranges::all_of(applications_, rests)) {
    scheduler_.Sleep(milliseconds(20));
  }
  executor_.Stop();
  for (auto& machine : machines_) machine->StopBroker(Machine::End::kKill);
  controllers_.Stop();
}

void Cluster::Repair() {
  network_.MendAll();
  network_.SetSlow(false);
  for (auto& machine : machines_) {
    SimDisk& disk = machine->disk();
    disk.SetCapacity(-1);
    disk.FailOpens(false);
    disk.FailReads("");
    disk.FailWrites("");
    disk.FailSyncs("");
    BrokerProcess* broker = machine->broker();
    if (broker != nullptr) broker->process().paused_until = {};
    if (broken.erase(machine->id()) > 0) {
      machine->StopBroker(Machine::End::kPowerCut);
    }
    machine->StartBroker();
  }
  RestoreConfigs();
}

std::string Cluster::Ailment() {
  const auto image = controllers_.image();
  for (auto& machine : machines_) {
    const std::string name = "broker " + std::to_string(machine->id());
    if (machine->stopping() || machine->broker() == nullptr ||
        !machine->broker()->listening()) {
      return name + " does not run";
    }
    const auto* row = image->FindBroker(machine->id());
    if (row == nullptr || row->fenced ||
        row->incarnation != machine->broker()->incarnation()) {
      return name + " is fenced";
    }
    const auto offline = machine->broker()->core().Offline();
    if (!offline.empty()) {
      return name + " cannot use " + offline.begin()->first + ": " +
             offline.begin()->second;
    }
  }
  for (const auto* partitions : {&partitions_, &transactional_}) {
    if (auto ailment = AilmentOf(*partitions); !ailment.empty()) return ailment;
  }
  const auto* passing = image->FindTopic(kPassing);
  for (int i = 0; passing != nullptr && i < kPassingPartitions; ++i) {
    if (passing->partitions[i]->leader < 0) {
      return ToString(TopicPartition{kPassing, i}) + kNoLeader;
    }
    for (const NodeId replica : passing->partitions[i]->replicas) {
      if (Read(replica, {kPassing, i}).there) continue;
      return "a log of a topic that was made is missing on " +
             std::to_string(replica);
    }
  }
  return "";
}

std::string Cluster::AilmentOf(const std::vector<TopicPartition>& partitions) {
  for (const auto& partition : partitions) {
    const auto* row = controllers_.image()->FindPartition(partition.topic,
                                                          partition.partition);
    const std::string name = ToString(partition);
    if (row->leader < 0) return name + kNoLeader;
    if (row->isr.size() != row->replicas.size()) {
      return name + " has " + std::to_string(row->isr.size()) +
             " replicas in sync, led by " + std::to_string(row->leader);
    }
    if (row->recovering) return name + " is recovering";
    if (row->moving()) return name + " still moves";
  }
  return "";
}

bool Cluster::AwaitHealth(Duration limit, const std::string& after) {
  const Instant end = scheduler_.Now() + limit;
  Instant led = scheduler_.Now();
  std::string ailment;
  while (!history_.failure()) {
    // A machine that was just stopped cleanly is started when it has.
    for (auto& machine : machines_) machine->StartBroker();
    ailment = Ailment();
    if (ailment.empty()) return true;
    if (!ailment.ends_with(kNoLeader)) led = scheduler_.Now();
    if (scheduler_.Now() - led >= kUntilOrdered) {
      ElectForEmpty();
      led = scheduler_.Now();
    }
    if (scheduler_.Now() >= end) break;
    scheduler_.Sleep(milliseconds(50));
  }
  history_.Fail("not healed after " + after + ": " + ailment);
  return false;
}

bool Cluster::AwaitQuiet(Duration limit) {
  const Instant end = scheduler_.Now() + limit;
  std::string missing;
  while (!history_.failure()) {
    missing.clear();
    for (const auto& producer : producers_) missing += producer->Describe();
    for (const auto& one : applications_) missing += one->Describe();
    if (missing.empty()) {
      missing = WhatIsMissing(*consumers_.front(), partitions_);
      if (transactions_) {
        missing += WhatIsMissing(*committed_readers_.front(), payments_);
        missing += WhatIsOpen();
      }
    }
    if (missing.empty()) return true;
    if (scheduler_.Now() >= end) break;
    scheduler_.Sleep(milliseconds(200));
  }
  history_.Fail("healed, but not everything is served:" + missing);
  return false;
}

std::string Cluster::WhatIsMissing(
    const Consumer& consumer, const std::vector<TopicPartition>& partitions) {
  std::string missing;
  for (const auto& partition : partitions) {
    const auto* row = controllers_.image()->FindPartition(partition.topic,
                                                          partition.partition);
    const Copy copy = row->leader < 0 ? Copy() : Read(row->leader, partition);
    const Offset seen = consumer.position(partition);
    if (copy.there && copy.stable == copy.end && seen >= copy.end) continue;
    missing += " " + ToString(partition) + " was read to " +
               std::to_string(seen) + ", stable up to " +
               std::to_string(copy.stable) + ", high watermark " +
               std::to_string(copy.high_watermark) + ", end " +
               std::to_string(copy.end);
  }
  return missing;
}

void Cluster::ElectLeaders(bool unclean,
                           const std::vector<TopicPartition>& chosen) {
  const NodeId active = controllers_.active();
  if (active == kNoNode) return;
  admin::v1::ElectLeadersRequest request;
  request.set_unclean(unclean);
  for (const auto& partition : chosen) {
    auto* one = request.add_partitions();
    one->set_topic(partition.topic);
    one->set_partition(partition.partition);
  }
  On(controllers_.executor(active), [&] {
    controllers_.at(active).Call(
        request, [](Result<admin::v1::ElectLeadersResponse>) {});
  });
}

void Cluster::ElectForEmpty() {
  std::vector<TopicPartition> empty;
  for (const auto& [name, topic] : controllers_.image()->topics()) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const TopicPartition partition{name, static_cast<PartitionIndex>(i)};
      if (topic->partitions[i]->leader < 0 &&
          history_.Committed(partition) == 0 &&
          inspector_.EndOfCommitted(partition) == 0) {
        Tell("an election is ordered for " + ToString(partition));
        empty.push_back(partition);
        inspector_.Rewind(partition, 0);
      }
    }
  }
  if (!empty.empty()) ElectLeaders(true, empty);
}

void Cluster::Rewind(const TopicPartition& partition, Offset from) {
  const bool lost = history_.Rewind(partition, from);
  inspector_.Rewind(partition, from);
  for (auto& consumer : consumers_) consumer->Rewind(partition, from);
  // Idempotent producers could not go on: their last batch is gone.
  if (!lost) return;
  for (auto& producer : producers_) producer->Abandon(partition);
}

Cluster::Copy Cluster::Read(NodeId node, const TopicPartition& partition) {
  Copy copy;
  BrokerProcess* broker = machine(node).broker();
  if (broker == nullptr || !broker->listening()) return copy;
  auto& replicas = broker->core().replicas();
  const size_t index = replicas.ShardIndexOf(partition);
  On(broker->shard(index), [&] {
    replication::Partition* found = replicas.shard(index).Find(partition);
    if (found == nullptr || found->away() || found->failed()) return;
    log::Log& log = found->log();
    copy.there = true;
    copy.start = log.start_offset();
    copy.end = log.end_offset();
    copy.high_watermark = found->high_watermark();
    copy.stable = found->last_stable_offset();
    Offset next = copy.start;
    while (next < copy.end) {
      const auto bytes = log.Read(next, copy.end, kAllBytes, true);
      if (!bytes || bytes->empty()) break;
      record::BatchIterator batches(bytes->view());
      while (auto batch = batches.Next().value_or(std::nullopt)) {
        (void)record::ForEachRecord(
            batch->bytes, [&](const record::Record& record) -> Status {
              copy.records[record.offset] = {
                  batch->header.leader_epoch,
                  std::string(record.value.value_or("null"))};
              return {};
            });
        next = batch->header.NextOffset();
      }
    }
  });
  return copy;
}

void Cluster::CheckLogs() {
  for (const auto* partitions : {&partitions_, &transactional_}) {
    for (const auto& partition : *partitions) {
      if (!history_.failure()) CheckPartition(partition);
    }
  }
  if (transactions_ && !history_.failure()) CheckTransactions();
}

void Cluster::CheckPartition(const TopicPartition& partition) {
  // Reading takes time, in which it may change.
  const auto image = controllers_.image();
  const auto* row = image->FindPartition(partition.topic, partition.partition);
  const Copy leader = Read(row->leader, partition);
  history_.CheckComplete(partition, leader.start, leader.end);
  for (const NodeId replica : row->replicas) {
    if (replica == row->leader) continue;
    const Copy copy = Read(replica, partition);
    const std::string where = ToString(partition) + " on " +
                              std::to_string(replica) + " and its leader " +
                              std::to_string(row->leader);
    if (copy.end != leader.end) {
      return history_.Fail("different ends of " + where);
    }
    if (copy.high_watermark == copy.end && copy.stable != copy.end) {
      return history_.Fail("a transaction is open at the end of " + where);
    }
    for (Offset at = std::max(copy.start, leader.start); at < leader.end;
         ++at) {
      const auto one = copy.records.find(at);
      const auto two = leader.records.find(at);
      if ((one == copy.records.end()) != (two == leader.records.end()) ||
          (one != copy.records.end() && one->second != two->second)) {
        return history_.Fail("different records at " + std::to_string(at) +
                             " of " + where);
      }
    }
  }
}

}  // namespace tidemark::sim
