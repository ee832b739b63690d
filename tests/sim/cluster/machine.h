#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/kafka/client_telemetry.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/producer_id_allocator.h"
#include "broker/server/broker_core.h"
#include "tests/sim/cluster/controller_link.h"
#include "tests/sim/cluster/process_disk.h"

namespace tidemark::sim {

class Connection;
class Machine;

// One life of a broker: the production broker but for its listener, on
// simulated threads. Outlives its end, until the simulation ends; what it was
// made of does not.
class BrokerProcess {
 public:
  BrokerProcess(Machine& machine, Controllers& controllers, int number);

  // By a thread: loads the logs and joins. False: the disk is unusable.
  bool Start();
  // By a thread: the clean stop. What it returns says whether it was one.
  bool Stop();
  // Kills: everything of it fails from now on. Anybody.
  void Die();
  // By a thread, once it is dead: its threads end and it is taken down.
  void Reap();

  Machine& machine() { return machine_; }
  Process& process() { return process_; }
  const Uuid& incarnation() const { return incarnation_; }
  bool running() const { return core_ != nullptr && !process_.dead; }
  // It takes requests.
  bool listening() const { return running() && listening_; }
  // Told when it dies.
  void Serves(const std::shared_ptr<Connection>& connection);
  // REQUIRES: running.
  server::BrokerCore& core() { return *core_; }
  // What its handlers stand on.
  const server::Services& services() const { return services_; }
  SimExecutor& shard(size_t i) { return *shards_[i]; }
  size_t shards() const { return shards_.size(); }

 private:
  void StopExecutors();
  void Assemble();

  Machine& machine_;
  Process process_;
  const Uuid incarnation_;
  ControllerLink link_;
  ProcessDisk disk_;
  std::unique_ptr<SimExecutor> control_, scrubber_, reader_, peers_;
  std::vector<std::unique_ptr<SimExecutor>> shards_;
  std::unique_ptr<server::BrokerCore> core_;
  std::unique_ptr<server::ProducerIdAllocator> producer_ids_;
  server::ClientTelemetry telemetry_{{}};
  server::Services services_;
  std::vector<std::weak_ptr<Connection>> connections_;
  bool listening_ = false;
  int busy_ = 0;  // threads in Start or Stop
  Fiber* waits_ = nullptr;
};

// A machine: its disk, and the broker on it, if one runs.
class Machine {
 public:
  // `transactions`: it has a part in them.
  Machine(Network& network, Controllers& controllers, NodeId id,
          bool transactions, std::function<BrokerProcess*(NodeId)> peer);

  NodeId id() const { return id_; }
  bool transactions() const { return transactions_; }
  SimDisk& disk() { return disk_; }
  Network& network() { return network_; }
  Scheduler& scheduler() { return network_.scheduler(); }
  const BrokerConfig& config() const { return config_; }
  const std::vector<std::string>& dirs() const { return config_.log_dirs; }
  std::map<std::string, Uuid>& directories() { return directories_; }
  const std::function<BrokerProcess*(NodeId)>& peer() const { return peer_; }

  BrokerProcess* broker() { return broker_; }
  // In the background, over and over until it runs or is killed.
  void StartBroker();
  // Told, by a shard, of everything that it has done.
  std::function<void(BrokerProcess& broker, size_t shard)> on_task;
  // While held, no broker starts.
  void Hold(bool held) { held_ = held; }
  enum class End { kKill, kPowerCut, kClean };
  // A clean stop that takes too long becomes a kill.
  void StopBroker(End how);
  // Everything in one log directory is gone, and its id. REQUIRES: no broker.
  void Wipe(const std::string& dir);
  // A clean stop is under way.
  bool stopping() const { return stopping_; }

 private:
  void Run();
  bool IsMarked();
  void Bury(BrokerProcess* broker);

  Network& network_;
  Controllers& controllers_;
  const NodeId id_;
  const bool transactions_;
  const std::function<BrokerProcess*(NodeId)> peer_;
  SimDisk disk_;
  BrokerConfig config_;
  std::map<std::string, Uuid> directories_;
  std::vector<std::unique_ptr<BrokerProcess>> lives_;
  BrokerProcess* broker_ = nullptr;
  bool stopping_ = false;
  bool held_ = false;
};

}  // namespace tidemark::sim
