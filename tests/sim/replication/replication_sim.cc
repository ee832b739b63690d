#include "tests/sim/replication/replication_sim.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"
#include "tests/sim/replication/sim_controller.h"
#include "tests/sim/replication/sim_replica.h"
#include "tests/sim/replication/sim_world.h"

namespace tidemark::replication {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kAllBytes = 1 << 30;

struct Entry {
  LeaderEpoch epoch = -1;
  std::string value;
  bool operator==(const Entry&) const = default;
};
using Entries = std::map<Offset, Entry>;

// One producer: one batch at a time, sent until it is acknowledged.
struct Producer {
  int id = 0;
  bool idempotent = true;
  int32_t sequence = 0;
  uint64_t attempt = 0;
  bool waiting = false;
};

class Simulation {
 public:
  explicit Simulation(const ReplicationSimOptions& options)
      : options_(options),
        world_(options.seed),
        controller_(world_, [this](metadata::ImagePtr image) {
          for (auto& replica : replicas_) replica->Receive(image);
        }) {
    for (NodeId id = 1; id <= 3; ++id) {
      SimReplica::Hooks hooks;
      hooks.peer = [this](NodeId peer) { return replicas_[peer - 1].get(); };
      hooks.changed = [this](SimReplica& replica) { Check(replica); };
      hooks.led = [this](SimReplica& replica) { CheckNewLeader(replica); };
      replicas_.push_back(std::make_unique<SimReplica>(
          world_, controller_, id,
          options.seed * 10 + static_cast<uint64_t>(id), std::move(hooks)));
    }
  }

  ReplicationSimResult Run() {
    for (auto& replica : replicas_) replica->Start();
    Until(world_.now() + seconds(1));
    controller_.CreateTopic(kSimPartition.topic, {1, 2, 3});
    for (int i = 0; i < 3; ++i) {
      producers_[i].id = i;
      producers_[i].idempotent = i != 2;
      Send(producers_[i]);
    }
    for (int i = 0; i < options_.faults && !result_.failure; ++i) {
      Until(world_.now() +
            milliseconds(world_.Below(2 * options_.fault_every_ms)));
      Fault();
      if (i % 5 == 4) CheckPrefixes();
    }
    Heal();
    const uint64_t before = result_.acknowledged;
    Until(world_.now() + seconds(30));
    if (!result_.failure) CheckHealed(before);
    result_.committed = committed_.size();
    result_.epochs = static_cast<uint64_t>(controller_.Row().leader_epoch) + 1;
    return result_;
  }

 private:
  void Fail(const std::string& what) {
    if (result_.failure) return;
    const auto at =
        (world_.now() - Instant(std::chrono::hours(1))) / milliseconds(1);
    result_.failure = "seed " + std::to_string(options_.seed) + " at " +
                      std::to_string(at) + " ms: " + what;
  }

  void Until(Instant end) {
    while (!result_.failure && world_.Step(end)) ++result_.events;
  }

  // --- faults -------------------------------------------------------------
  SimReplica& Any() { return *replicas_[world_.Below(3)]; }

  void Fault() {
    SimReplica& victim = Any();
    switch (world_.Below(8)) {
      case 0:
      case 1:
        KillFor(victim, world_.Chance(700));
        break;
      case 2:
        // The leader: the most interesting one.
        if (const NodeId leader = controller_.Row().leader; leader > 0) {
          KillFor(*replicas_[leader - 1], true);
        }
        break;
      case 3:
        victim.Pause(world_.Between(milliseconds(50), seconds(6)));
        break;
      case 4: {
        const NodeId a = victim.id(), b = Any().id();
        if (a == b) break;
        Cut(a, b);
        break;
      }
      case 5:
        Cut(0, victim.id());
        break;
      case 6:
        // All of them lose power.
        for (auto& replica : replicas_) KillFor(*replica, true);
        break;
      case 7:
        for (auto& replica : replicas_) {
          if (replica.get() != &victim) {
            Cut(std::min(victim.id(), replica->id()),
                std::max(victim.id(), replica->id()));
          }
        }
        break;
    }
  }
  void KillFor(SimReplica& replica, bool power) {
    if (!replica.alive()) return;
    replica.Kill(power);
    checked_[replica.id()] = 0;
    world_.After(world_.Between(milliseconds(10), seconds(4)),
                 [this, &replica] {
                   replica.Start();
                   if (!replica.opened_error().empty()) {
                     Fail("log does not open: " + replica.opened_error());
                   }
                 });
  }
  void Cut(NodeId a, NodeId b) {
    const std::pair link{std::min(a, b), std::max(a, b)};
    world_.cut.insert(link);
    world_.After(world_.Between(milliseconds(100), seconds(6)),
                 [this, link] { world_.cut.erase(link); });
  }
  void Heal() {
    Until(world_.now() + seconds(7));
    world_.cut.clear();
    world_.lossy = false;
  }

  // --- clients ------------------------------------------------------------
  std::string ValueOf(const Producer& producer) const {
    return "p" + std::to_string(producer.id) + ":" +
           std::to_string(producer.sequence) +
           (producer.idempotent ? "" : "/" + std::to_string(producer.attempt));
  }

  void Send(Producer& producer) {
    ++producer.attempt;
    producer.waiting = true;
    const std::string value = ValueOf(producer);
    record::BatchOptions options;
    if (producer.idempotent) {
      options.producer_id = producer.id + 1;
      options.producer_epoch = 0;
      options.base_sequence = producer.sequence;
    }
    record::BatchBuilder builder(options);
    builder.Add(world_.WallMs(), std::nullopt, value);
    const std::string batch = builder.Build();
    NodeId target = controller_.Row().leader;
    if (target <= 0 || world_.Chance(150)) target = Any().id();
    const uint64_t attempt = producer.attempt;
    world_.After(milliseconds(1), [this, target, batch, value, attempt,
                                   &producer] {
      replicas_[target - 1]->Produce(batch, [this, value, attempt, &producer](
                                                ErrorCode error, Offset base) {
        // An answer that comes too late is an answer all the same.
        if (error == ErrorCode::kNone) Acknowledged(producer, value, base);
        if (attempt != producer.attempt || !producer.waiting) return;
        Next(producer, error == ErrorCode::kNone);
      });
    });
    world_.After(milliseconds(1500), [this, attempt, &producer] {
      if (attempt == producer.attempt && producer.waiting) {
        Next(producer, !producer.idempotent);
      }
    });
  }
  void Next(Producer& producer, bool advance) {
    producer.waiting = false;
    if (advance) ++producer.sequence;
    world_.After(world_.Between(milliseconds(1), milliseconds(20)),
                 [this, &producer] { Send(producer); });
  }

  void Acknowledged(const Producer& producer, const std::string& value,
                    Offset base) {
    ++result_.acknowledged;
    // Acknowledged means committed somewhere: the leader's offsets are taken
    // in before its clients are told.
    for (auto& replica : replicas_) {
      if (replica->alive()) Check(*replica);
    }
    const auto it = committed_.find(base);
    if (it == committed_.end()) {
      return Fail("acknowledged but not committed: " + value + " at " +
                  std::to_string(base));
    }
    if (it->second.value != value) {
      return Fail("acknowledged " + value + " at " + std::to_string(base) +
                  " where " + it->second.value + " stands (producer " +
                  std::to_string(producer.id) + ")");
    }
  }

  // --- checks -------------------------------------------------------------
  Entries ReadEntries(log::Log& log, Offset from, Offset below) {
    Entries entries;
    Offset next = from;
    // A read ends with its segment.
    while (next < below) {
      auto bytes = log.Read(next, below, kAllBytes, true);
      if (!bytes) {
        Fail("cannot read: " + ToString(bytes.error()));
        return entries;
      }
      record::BatchIterator batches(bytes->view());
      const Offset before = next;
      while (auto batch = batches.Next().value_or(std::nullopt)) {
        (void)record::ForEachRecord(
            batch->bytes, [&](const record::Record& record) -> Status {
              if (record.offset >= from && record.offset < below) {
                entries[record.offset] = {batch->header.leader_epoch,
                                          std::string(*record.value)};
              }
              return {};
            });
        next = batch->header.NextOffset();
      }
      if (next == before) break;
    }
    return entries;
  }

  void Check(SimReplica& replica) {
    Partition* partition = replica.partition();
    if (partition == nullptr || partition->away() || partition->failed()) {
      return;
    }
    log::Log& log = partition->log();
    const Offset hw = partition->high_watermark();
    if (log.start_offset() < 0 || log.start_offset() > hw ||
        hw > log.end_offset() || log.flushed_offset() > log.end_offset()) {
      Fail("B-01 broken on " + std::to_string(replica.id()));
    }
    CheckMember(replica);
    Offset& checked = checked_[replica.id()];
    checked = std::min(checked, hw);
    if (checked == hw) return;
    for (auto& [offset, entry] : ReadEntries(log, checked, hw)) {
      Commit(replica, offset, entry);
    }
    checked = hw;
    CheckConsumers(replica);
  }

  // B-04, B-12. Whoever may be elected next holds everything committed at every
  // moment, not only when it leads: a cut too deep mostly heals before that.
  void CheckMember(SimReplica& replica) {
    if (committed_.empty()) return;
    const auto& isr = controller_.Row().isr;
    if (std::find(isr.begin(), isr.end(), replica.id()) == isr.end()) return;
    const Offset end = replica.partition()->log().end_offset();
    const Offset last = committed_.rbegin()->first;
    if (end <= last) {
      Fail("ISR member " + std::to_string(replica.id()) + " ends at " +
           std::to_string(end) + ", committed is " + std::to_string(last));
    }
  }

  void Commit(SimReplica& replica, Offset offset, const Entry& entry) {
    const auto [it, added] = committed_.emplace(offset, entry);
    if (!added) {
      if (it->second != entry) {
        Fail("two records at " + std::to_string(offset) + ": " +
             it->second.value + "@" + std::to_string(it->second.epoch) +
             " and on " + std::to_string(replica.id()) + " " + entry.value +
             "@" + std::to_string(entry.epoch));
      }
      return;
    }
    committed_in_[offset] = replica.partition()->leader_epoch();
    const auto [where, once] = places_.emplace(entry.value, offset);
    if (!once) {
      Fail("twice: " + entry.value + " at " + std::to_string(where->second) +
           " and " + std::to_string(offset));
    }
  }

  // B-06: what ListOffsets says never goes back for those who follow epochs.
  void CheckConsumers(SimReplica& replica) {
    Partition& partition = *replica.partition();
    if (!partition.IsLeader()) return;
    const auto latest = partition.FindOffset(-1, -1);
    if (!latest) return;
    if (partition.leader_epoch() >= told_epoch_ && latest->offset < told_) {
      Fail("latest offset went back from " + std::to_string(told_) + " to " +
           std::to_string(latest->offset));
    }
    if (latest->offset > told_) {
      told_ = latest->offset;
      told_epoch_ = partition.leader_epoch();
    }
  }

  void CheckNewLeader(SimReplica& replica) {
    Partition& partition = *replica.partition();
    const Entries own =
        ReadEntries(partition.log(), 0, partition.log().end_offset());
    for (const auto& [offset, entry] : committed_) {
      // A leader that learns late of its election may miss what the next one
      // has committed.
      if (committed_in_.at(offset) >= partition.leader_epoch()) continue;
      const auto it = own.find(offset);
      if (it == own.end() || it->second != entry) {
        return Fail("leader " + std::to_string(replica.id()) + " of epoch " +
                    std::to_string(partition.leader_epoch()) + " lacks " +
                    entry.value + " at " + std::to_string(offset) + ", has " +
                    std::to_string(partition.log().start_offset()) + " to " +
                    std::to_string(partition.log().end_offset()));
      }
    }
  }

  // B-16.
  void CheckPrefixes() {
    for (size_t a = 0; a < replicas_.size(); ++a) {
      for (size_t b = a + 1; b < replicas_.size(); ++b) {
        if (!replicas_[a]->alive() || !replicas_[b]->alive()) continue;
        if (replicas_[a]->partition()->away()) continue;
        if (replicas_[b]->partition()->away()) continue;
        auto& one = replicas_[a]->partition()->log();
        auto& two = replicas_[b]->partition()->log();
        const Entries left = ReadEntries(one, 0, one.end_offset());
        const Entries right = ReadEntries(two, 0, two.end_offset());
        bool shared = false;
        for (auto it = left.rbegin(); it != left.rend(); ++it) {
          const auto other = right.find(it->first);
          if (other == right.end()) continue;
          shared |= other->second.epoch == it->second.epoch;
          if (shared && other->second != it->second) {
            return Fail("B-16 broken at " + std::to_string(it->first));
          }
        }
      }
    }
  }

  void CheckHealed(uint64_t acknowledged_before) {
    CheckPrefixes();
    if (controller_.Row().isr.size() != 3) {
      return Fail("healed, but the ISR has " +
                  std::to_string(controller_.Row().isr.size()));
    }
    if (result_.acknowledged < acknowledged_before + 30) {
      return Fail("healed, but clients are not served");
    }
    for (auto& replica : replicas_) {
      if (!replica->alive() || replica->partition()->high_watermark() + 200 <
                                   static_cast<Offset>(committed_.size())) {
        return Fail("healed, but a replica stays behind");
      }
    }
  }

  const ReplicationSimOptions options_;
  SimWorld world_;
  std::vector<std::unique_ptr<SimReplica>> replicas_;
  SimController controller_;
  std::array<Producer, 3> producers_;
  ReplicationSimResult result_;

  Entries committed_;
  std::map<Offset, LeaderEpoch> committed_in_;  // the first to show it
  std::map<std::string, Offset> places_;
  std::map<NodeId, Offset> checked_;
  Offset told_ = -1;
  LeaderEpoch told_epoch_ = -1;
};

}  // namespace

ReplicationSimResult RunReplicationSim(const ReplicationSimOptions& options) {
  return Simulation(options).Run();
}

}  // namespace tidemark::replication
