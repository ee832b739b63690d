#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/replication/partition.h"
#include "broker/replication/purgatory.h"
#include "tests/sim/replication/sim_controller.h"
#include "tests/sim/replication/sim_world.h"
#include "tests/support/sim_disk.h"

namespace tidemark::replication {

inline const TopicPartition kSimPartition{"sim", 0};

// One broker with one replica: production partition, log and produce queue
// over a disk that loses what was not synced. What production does with
// threads and sockets (syncs, fetches, reports, ISR requests) is done here
// with events that take random times and may get lost.
class SimReplica {
 public:
  using Reply = std::function<void(ErrorCode, Offset base_offset)>;

  struct Hooks {
    std::function<SimReplica*(NodeId)> peer;
    std::function<void(SimReplica&)> changed;  // after every event
    std::function<void(SimReplica&)> led;      // leads a new epoch
  };

  SimReplica(SimWorld& world, SimController& controller, NodeId id,
             uint64_t disk_seed, Hooks hooks);

  NodeId id() const { return id_; }
  bool alive() const { return alive_; }
  bool paused() const { return world_.now() < paused_until_; }
  Partition* partition() { return partition_.get(); }
  uint64_t life() const { return life_; }
  std::string opened_error() const { return open_error_; }

  void Start();
  // The process dies; `power` loses what was not synced.
  void Kill(bool power);
  void Pause(Duration span) { paused_until_ = world_.now() + span; }
  // An image from the controller; older ones are ignored.
  void Receive(const metadata::ImagePtr& image);
  // A producer's batch, already here. `reply` may never run.
  void Produce(const std::string& batch, Reply reply);

 private:
  // Runs `event` here after `delay` if this life still lasts, and not while
  // paused.
  void After(Duration delay, std::function<void()> event);
  void Arrive(uint64_t life, std::function<void()> event);
  // Sends `event` to run at `to`.
  void SendTo(SimReplica& to, std::function<void()> event);

  void Settle();
  void StartSync();
  void Cut();
  void Fetch(bool report);
  void Fetched(bool report, uint64_t round,
               const FetchPositionOfFollower& asked, const FetchAnswer& answer);
  void SendProposal();
  void HeartbeatLoop();
  void TickLoop();

  SimWorld& world_;
  SimController& controller_;
  const NodeId id_;
  const Hooks hooks_;
  sim::SimDisk disk_;
  Offset high_watermark_checkpoint_ = -1;

  bool alive_ = false;
  uint64_t life_ = 0;
  Instant paused_until_{};
  BrokerEpoch broker_epoch_ = -1;
  std::string open_error_;

  Stats stats_;
  PartitionEnv env_;
  std::unique_ptr<Partition> partition_;
  ProduceQueue produces_;
  bool syncing_ = false;
  LeaderEpoch known_epoch_ = -1;
  uint64_t fetch_round_ = 0;
  uint64_t report_round_ = 0;
  bool report_out_ = false;
  bool report_wanted_ = false;
  std::optional<IsrProposal> proposal_;
  bool proposal_out_ = false;
  uint64_t proposal_round_ = 0;
};

}  // namespace tidemark::replication
