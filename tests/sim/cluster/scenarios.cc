// What is done to a cluster that is well, so that it is clear what must hold.

#include <algorithm>

#include "tests/sim/cluster/cluster.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kHealed = seconds(60);
constexpr Duration kSession = seconds(3);  // and what follows from its end

bool IsWell(Cluster& cluster) {
  cluster.Repair();
  if (!cluster.AwaitHealth(kHealed, "earlier faults")) return false;
  // A cut that was mended just now may still cost a broker its session, and
  // then the next to go would be the last in sync.
  cluster.scheduler().Sleep(kSession);
  return cluster.AwaitHealth(kHealed, "earlier faults");
}

// One of the replicas loses all it has, in one directory or in both, while the
// others have everything; then only this machine has further trouble.
void WipeDisk(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  if (!IsWell(cluster)) return;
  Machine& machine = cluster.AnyMachine();
  machine.StopBroker(Machine::End::kPowerCut);
  const int64_t which = scheduler.Below(3);
  Tell("wipe of broker " + std::to_string(machine.id()) + ", which " +
       std::to_string(which));
  if (which != 0) machine.Wipe("/disk/a");
  if (which != 1) machine.Wipe("/disk/b");
  scheduler.Sleep(scheduler.Between(Duration::zero(), seconds(3)));
  machine.StartBroker();
  if (scheduler.Chance(500)) {
    scheduler.Sleep(scheduler.Between(milliseconds(10), seconds(2)));
    Restart(
        cluster, machine,
        scheduler.Chance(500) ? Machine::End::kKill : Machine::End::kPowerCut);
  }
  if (scheduler.Chance(300)) {
    cluster.controllers().Change(
        scheduler.Between(milliseconds(5), milliseconds(800)));
  }
  cluster.AwaitHealth(kHealed, "a wiped disk");
}

// Whether a batch's checksum speaks for the byte: Kafka's leaves out base
// offset, length and leader epoch.
bool IsChecked(std::string_view segment, uint64_t at) {
  size_t begin = 0;
  while (begin + 12 <= segment.size()) {
    size_t length = 0;
    for (size_t i = 8; i < 12; ++i) {
      length = length << 8 | static_cast<unsigned char>(segment[begin + i]);
    }
    const size_t end = begin + 12 + length;
    if (at < end) return at >= begin + 17;
    begin = end;
  }
  return false;
}

// A byte of a segment that nobody writes to any more. Readers that start over
// come by while it leads, and must not see it (D8). In the end either the disk
// is replaced, whether anybody has noticed or not, or scrubbing alone has
// mended it: all replicas are compared when the run ends.
void FlipBit(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  if (!IsWell(cluster)) return;
  Machine& machine = cluster.AnyMachine();
  SimDisk& disk = machine.disk();
  std::vector<std::string> sealed;
  for (const std::string& dir : machine.dirs()) {
    const auto logs = disk.List(dir);
    for (const std::string& log : logs.value_or(std::vector<std::string>())) {
      std::vector<std::string> segments;
      const auto files = disk.List(dir + "/" + log);
      for (const auto& file : files.value_or(std::vector<std::string>())) {
        if (file.ends_with(".log")) segments.push_back(file);
      }
      if (segments.size() < 2) continue;
      for (size_t i = 0; i + 1 < segments.size(); ++i) {
        sealed.push_back(dir + "/" + log + "/" + segments[i]);
      }
    }
  }
  if (sealed.empty()) return;
  const std::string& victim = sealed[static_cast<size_t>(
      scheduler.Below(static_cast<int64_t>(sealed.size())))];
  const auto file = disk.Open(victim, false);
  const auto size = static_cast<int64_t>((*file)->Size().value_or(0));
  if (size == 0) return;
  Tell("flipped bit in " + victim + " of broker " +
       std::to_string(machine.id()));
  const auto at = static_cast<uint64_t>(scheduler.Below(size));
  std::string bytes(static_cast<size_t>(size), '\0');
  (void)(*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!IsChecked(bytes, at)) return;
  disk.FlipBit(victim, at, static_cast<int>(scheduler.Below(8)));
  if (scheduler.Chance(400)) {
    scheduler.Sleep(seconds(30));
    cluster.AwaitHealth(kHealed, "a flipped bit that scrubbing found");
    return;
  }
  for (NodeId id = 1; id <= cluster.machines(); ++id) {
    if (id == machine.id() || !scheduler.Chance(600)) continue;
    cluster.machine(id).StopBroker(Machine::End::kClean);
    scheduler.Sleep(seconds(3));
    cluster.machine(id).StartBroker();
    if (!cluster.AwaitHealth(kHealed, "a stop beside a flipped bit")) return;
  }
  machine.StopBroker(Machine::End::kPowerCut);
  machine.Wipe(victim.substr(0, victim.find('/', 6)));
  machine.StartBroker();
  cluster.AwaitHealth(kHealed, "a flipped bit");
}

metadata::PartitionImage RowOf(Cluster& cluster,
                               const TopicPartition& partition) {
  return *cluster.controllers().image()->FindPartition(partition.topic,
                                                       partition.partition);
}

// The last replica in sync loses its disk (B-30). What all three had must not
// go with it: nobody leads until an operator orders it, and then one that has
// it.
void WipeLastInSync(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  if (!IsWell(cluster)) return;
  const TopicPartition chosen{"orders",
                              static_cast<PartitionIndex>(scheduler.Below(3))};
  const auto replicas = RowOf(cluster, chosen).replicas;
  const NodeId last = RowOf(cluster, chosen).leader;
  Machine& machine = cluster.machine(last);
  Tell("broker " + std::to_string(last) + " will lose its disk as the last");
  // Until now everybody in sync has it; what comes now it may have alone.
  std::map<TopicPartition, Offset> committed;
  for (const auto& partition : cluster.partitions()) {
    committed[partition] = cluster.history().Committed(partition);
  }
  for (const NodeId id : replicas) {
    if (id == last) continue;
    cluster.machine(id).Hold(true);
    cluster.machine(id).StopBroker(Machine::End::kPowerCut);
  }
  const Instant limit = scheduler.Now() + seconds(10);
  while (RowOf(cluster, chosen).isr.size() > 1 && scheduler.Now() < limit) {
    scheduler.Sleep(milliseconds(20));
  }
  scheduler.Sleep(scheduler.Between(Duration::zero(), seconds(1)));
  machine.Hold(true);
  machine.StopBroker(Machine::End::kPowerCut);
  for (const std::string& dir : machine.dirs()) machine.Wipe(dir);
  // No answer of it is on its way any more.
  scheduler.Sleep(seconds(1));
  for (const auto& partition : cluster.partitions()) {
    if (RowOf(cluster, partition).isr == std::vector<NodeId>{last}) {
      cluster.Rewind(partition, committed[partition]);
    }
  }
  for (const NodeId id : replicas) {
    cluster.machine(id).Hold(false);
    cluster.machine(id).StartBroker();
  }
  scheduler.Sleep(seconds(5));
  cluster.ElectLeaders(true);
  cluster.AwaitHealth(kHealed, "an election that was ordered");
}

// One directory of one broker fails, and stays so: everything else is served
// (B-32), and nobody runs in circles.
void BreakDirectory(Cluster& cluster) {
  auto& scheduler = cluster.scheduler();
  if (!IsWell(cluster)) return;
  Machine& machine = cluster.AnyMachine();
  cluster.broken.insert(machine.id());
  const std::string& dir =
      machine.dirs()[static_cast<size_t>(scheduler.Below(2))];
  Tell("lasting failure of " + dir + " of broker " +
       std::to_string(machine.id()));
  if (scheduler.Chance(500)) {
    machine.disk().FailSyncs(dir + "/");
  } else {
    machine.disk().FailWrites(dir + "/");
  }
  scheduler.Sleep(seconds(6));
  // The rest is served.
  auto& history = cluster.history();
  for (const auto& partition : cluster.partitions()) {
    const uint64_t before = history.AcknowledgedOf(partition);
    const Instant limit = scheduler.Now() + seconds(20);
    while (history.AcknowledgedOf(partition) == before && !history.failure()) {
      if (scheduler.Now() >= limit) {
        history.Fail("nothing is acknowledged in " + ToString(partition) +
                     " since " + dir + " of broker " +
                     std::to_string(machine.id()) + " has failed");
      }
      scheduler.Sleep(milliseconds(100));
    }
  }
  cluster.Repair();
  cluster.AwaitHealth(kHealed, "a failed directory");
}

}  // namespace

void PlayScenario(Cluster& cluster) {
  switch (cluster.scheduler().Below(5)) {
    case 0:
    case 1:
      return WipeDisk(cluster);
    case 2:
      return FlipBit(cluster);
    case 3:
      // It loses what was committed, and so ends and halves of transactions.
      if (!cluster.transactions()) return WipeLastInSync(cluster);
      return WipeDisk(cluster);
    default:
      return BreakDirectory(cluster);
  }
}

}  // namespace tidemark::sim
