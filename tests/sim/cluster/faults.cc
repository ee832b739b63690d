// What happens to a cluster that clients must not notice, but for time.

#include <glog/logging.h>

#include <algorithm>

#include "broker/coordinator/internal_topic.h"
#include "tests/sim/cluster/cluster.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

void Tell(const std::string& what) { LOG(INFO) << "fault: " << what; }

void Restart(Cluster& cluster, Machine& machine, Machine::End how) {
  Tell("restart of broker " + std::to_string(machine.id()) + ", how " +
       std::to_string(static_cast<int>(how)));
  machine.StopBroker(how);
  auto& scheduler = cluster.scheduler();
  scheduler.After(scheduler.Between(milliseconds(10), seconds(4)),
                  [&machine] { machine.StartBroker(); });
}

namespace {

void KillLeader(Cluster& cluster) {
  const auto& partition = cluster.AnyPartition();
  const auto* row = cluster.controllers().image()->FindPartition(
      partition.topic, partition.partition);
  if (row->leader < 0) return;
  Restart(cluster, cluster.machine(row->leader), Machine::End::kPowerCut);
}

void CutPowerOfAll(Cluster& cluster) {
  for (NodeId id = 1; id <= cluster.machines(); ++id) {
    Restart(cluster, cluster.machine(id), Machine::End::kPowerCut);
  }
}

void Pause(Cluster& cluster, Machine& machine) {
  BrokerProcess* broker = machine.broker();
  if (broker == nullptr) return;
  auto& scheduler = cluster.scheduler();
  Tell("pause of " + broker->process().name);
  broker->process().paused_until =
      scheduler.Now() + scheduler.Between(milliseconds(50), seconds(6));
}

void CutOff(Cluster& cluster, NodeId from, NodeId to, Duration span) {
  Tell("cut from " + std::to_string(from) + " to " + std::to_string(to));
  cluster.network().Cut(from, to);
  cluster.scheduler().After(
      span, [&cluster, from, to] { cluster.network().Mend(from, to); });
}

void CutNetwork(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  const Duration span = scheduler.Between(milliseconds(100), seconds(6));
  const NodeId victim = cluster.AnyMachine().id();
  const auto both = [&](NodeId other) {
    if (other == victim) return;
    CutOff(cluster, victim, other, span);
    CutOff(cluster, other, victim, span);
  };
  const auto controllers = [&] {
    for (int i = 0; i < kControllers; ++i) both(kFirstController + i);
  };
  const auto brokers = [&] {
    for (NodeId id = 1; id <= cluster.machines(); ++id) both(id);
  };
  switch (scheduler.Below(6)) {
    case 0:
      return both(cluster.AnyMachine().id());
    case 1: {  // one way
      const NodeId other = cluster.AnyMachine().id();
      return CutOff(cluster, victim, other, span);
    }
    case 2:
      return controllers();
    case 3:
      return brokers();
    case 4:
      controllers();
      return brokers();
    default:  // from the active controller, one way
      if (cluster.controllers().active() == kNoNode) return;
      return CutOff(cluster, cluster.controllers().active(), victim, span);
  }
}

void FillDisk(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  SimDisk& disk = cluster.AnyMachine().disk();
  disk.SetCapacity(-1);
  const auto space = disk.Space("/");
  Tell("full disk");
  const auto used = static_cast<int64_t>(space->total - space->free);
  disk.SetCapacity(used + scheduler.Below(100'000));
  scheduler.After(scheduler.Between(milliseconds(300), seconds(5)),
                  [&disk] { disk.SetCapacity(-1); });
}

void TakeHandles(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  SimDisk& disk = cluster.AnyMachine().disk();
  Tell("no handles");
  disk.FailOpens(true);
  scheduler.After(scheduler.Between(milliseconds(50), seconds(2)),
                  [&disk] { disk.FailOpens(false); });
}

// One of the directories, or one file of them.
void BreakDisk(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  Machine& machine = cluster.AnyMachine();
  if (!cluster.broken.insert(machine.id()).second) return;
  const std::string part = scheduler.Chance(500) ? "/disk/a/" : "/disk/b/";
  Tell("broken " + part + " of broker " + std::to_string(machine.id()));
  switch (scheduler.Below(3)) {
    case 0:
      machine.disk().FailSyncs(part);
      break;
    case 1:
      machine.disk().FailWrites(part);
      break;
    default:
      machine.disk().FailReads(part);
  }
  // The disk is replaced by one with what was synced.
  scheduler.After(
      scheduler.Between(milliseconds(500), seconds(6)), [&cluster, &machine] {
        if (cluster.broken.erase(machine.id()) == 0) return;
        Tell("other disk in broker " + std::to_string(machine.id()));
        machine.StopBroker(Machine::End::kPowerCut);
        machine.disk().FailSyncs("");
        machine.disk().FailWrites("");
        machine.disk().FailReads("");
        machine.StartBroker();
      });
}

// One of them, mostly the active one, or all together.
void CrashControllers(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  Controllers& controllers = cluster.controllers();
  const auto crash = [&](NodeId id) {
    if (controllers.life(id) == 0) return;
    Tell("crash of controller " + std::to_string(id));
    controllers.Crash(id, scheduler.Between(milliseconds(50), seconds(4)),
                      scheduler.Between(milliseconds(100), seconds(2)));
  };
  const NodeId active = controllers.active();
  const NodeId any =
      kFirstController + static_cast<NodeId>(scheduler.Below(kControllers));
  switch (scheduler.Below(6)) {
    case 0:
      for (int i = 0; i < kControllers; ++i) crash(kFirstController + i);
      return;
    case 1:
      return crash(any);
    default:
      return crash(active == kNoNode ? any : active);
  }
}

// Where transactions are decided and where they end: who coordinates them, or
// their offsets, goes, is silent or cannot be reached while markers are on
// their way.
void DisturbTransactions(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  const auto leader = [&] {
    const auto& of = cluster.transactional();
    const auto& partition = of[static_cast<size_t>(
        scheduler.Below(static_cast<int64_t>(of.size())))];
    return cluster.controllers()
        .image()
        ->FindPartition(partition.topic, partition.partition)
        ->leader;
  };
  const NodeId one = leader(), other = leader();
  if (one < 0 || other < 0) return;
  const Duration span = scheduler.Between(milliseconds(100), seconds(5));
  switch (scheduler.Below(9)) {
    case 0:
    case 1:
      return Pause(cluster, cluster.machine(one));
    case 5:
      return cluster.MovePartition();
    case 6:
    case 7:
      for (int64_t times = 1 + scheduler.Below(3); times > 0; --times) {
        cluster.MoveLeader({coordinator::kTransactionsTopic,
                            static_cast<PartitionIndex>(scheduler.Below(3))});
      }
      return;
    case 2:
      if (one == other) return;
      CutOff(cluster, one, other, span);
      if (scheduler.Chance(500)) CutOff(cluster, other, one, span);
      return;
    case 3:
      Tell("leaders move to who is preferred");
      return cluster.ElectLeaders(false);
    case 4:
      Restart(cluster, cluster.machine(one), Machine::End::kKill);
      scheduler.Sleep(scheduler.Between(milliseconds(1), seconds(1)));
      return Restart(cluster, cluster.machine(other), Machine::End::kKill);
    default:
      return Restart(cluster, cluster.machine(one), Machine::End::kClean);
  }
}

}  // namespace

void CauseFault(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  if (cluster.transactions() && scheduler.Chance(350)) {
    return DisturbTransactions(cluster);
  }
  switch (scheduler.Below(33)) {
    case 0:
    case 1:
      return Restart(cluster, cluster.AnyMachine(), Machine::End::kKill);
    case 2:
    case 3:
      return Restart(cluster, cluster.AnyMachine(), Machine::End::kPowerCut);
    case 4:
    case 5:
      return KillLeader(cluster);
    case 6:
      return CutPowerOfAll(cluster);
    case 7:
    case 8:
      return Restart(cluster, cluster.AnyMachine(), Machine::End::kClean);
    case 9:
      return Pause(cluster, cluster.AnyMachine());
    case 10:
    case 11:
    case 12:
      return CutNetwork(cluster);
    case 13:
      return cluster.controllers().Change(
          scheduler.Between(milliseconds(5), seconds(2)),
          scheduler.Below(2) * scheduler.Between(milliseconds(5), seconds(4)));
    case 14:
      cluster.network().SetSlow(scheduler.Chance(500));
      return;
    case 15:
      return FillDisk(cluster);
    case 16:
      return TakeHandles(cluster);
    case 17:
    case 18:
      return BreakDisk(cluster);
    case 21:
    case 22:
    case 23:
      cluster.ChangeConfig();
      return;
    case 24:
    case 25:
      return CrashControllers(cluster);
    case 26:
    case 27:
    case 28:
      cluster.MovePartition();
      return;
    case 19:
    case 20:
      // Soon enough for the name to be in use still.
      for (int64_t times = 1 + scheduler.Below(4); times > 0; --times) {
        cluster.MakeOrRemoveTopic();
        scheduler.Sleep(scheduler.Between(milliseconds(1), milliseconds(300)));
      }
      return;
    default:
      return PlayScenario(cluster);
  }
}

}  // namespace tidemark::sim
