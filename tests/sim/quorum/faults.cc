#include <algorithm>

#include "tests/sim/quorum/simulation.h"

namespace tidemark::sim {

void Simulation::Fault() {
  if (faults_left_-- <= 0) return Heal();
  if (options_.kind != QuorumFaults::kAll) return Stall();
  AnyFault();
  At(random_.Between(5'000, 1'200'000), [this] { Fault(); });
}

void Simulation::AnyFault() {
  const NodeId a = Any(), b = Any();
  Host& host = hosts_[a];
  switch (random_.Below(options_.changes ? 18 : 16)) {
    case 16:
    case 17:
      if (CanLose(a)) Wipe(a);
      break;
    case 0:
    case 1:
      Kill(a);
      break;
    case 2:
    case 3:
      for (auto& [id, other] : hosts_)
        if (!other.life) Start(id);
      break;
    case 4:
      if (a != b) network_.cuts.insert({a, b});
      break;
    case 5:  // a whole node, both ways
      for (auto& [id, unused] : hosts_) {
        if (id == a) continue;
        network_.cuts.insert({a, id});
        network_.cuts.insert({id, a});
      }
      break;
    case 6:
    case 7:
      network_.cuts.clear();
      break;
    case 8:
      network_.drop_percent = random_.Chance(50) ? 0 : random_.Between(1, 30);
      network_.duplicate_percent =
          random_.Chance(50) ? 0 : random_.Between(1, 30);
      network_.max_delay_us =
          random_.Chance(50) ? 2'000 : random_.Between(2'000, 200'000);
      break;
    case 9:
      host.platter.slow = !host.platter.slow;
      break;
    case 10:
      if (host.life) {
        const uint64_t lasts = random_.Between(100'000, 3'000'000);
        host.life->loop.Pause(lasts);
        host.life->background.Pause(lasts);
      }
      break;
    case 11:  // somebody who leads wants to go
      for (auto& [id, other] : hosts_) {
        if (!other.Leads()) continue;
        if (random_.Chance(50)) {
          result_.transfers += other.life->node->Transfer(b).has_value();
        } else {
          other.life->node->HandOver(std::chrono::seconds(2), [] {});
          ++result_.transfers;
        }
      }
      break;
    case 12:
      HangDisk(a, random_.Between(500'000, 20'000'000));
      break;
    case 13:  // the streams of somebody who lives break
      network_.Reset(a, b);
      if (random_.Chance(50)) network_.Reset(b, a);
      break;
    case 14:
      if (LeaderId() != kNoNode)
        for (auto& [id, unused] : hosts_) network_.Reset(LeaderId(), id);
      break;
    case 15:
      host.platter.full = !host.platter.full;
      break;
  }
}

void Simulation::HangDisk(NodeId id, uint64_t duration_us) {
  hosts_[id].platter.hung_until = timeline_.now() + duration_us;
  timeline_.Note(static_cast<uint64_t>(id) + 2000);
}

NodeId Simulation::LeaderId() const {
  for (const auto& [id, host] : hosts_)
    if (host.life && host.core().IsLeader()) return id;
  return kNoNode;
}

// What a majority has to outlive without a halt, one at a time: whoever stood
// still has to catch up first.
void Simulation::Stall() {
  for (auto& [id, host] : hosts_)
    if (!host.life) Start(id);
  const bool all_wait = std::all_of(
      hosts_.begin(), hosts_.end(),
      [](const auto& host) { return host.second.life->disk.waiting() < 2; });
  if (!all_wait || !Settled()) return At(200'000, [this] { Stall(); });
  stalls_ = true;
  ++result_.stalls;
  progress_at_ = timeline_.now();
  uint64_t lasts = random_.Between(5'000'000, 60'000'000);
  if (options_.kind == QuorumFaults::kHungLeader) {
    // The one fault that a leader does not notice by its connections: it hears
    // its followers, and they have everything, but its own disk stands still.
    HangDisk(LeaderId(), lasts);
  } else {
    lasts /= 4;
    CutMinority(lasts);
  }
  At(lasts + random_.Between(1'000'000, 4'000'000), [this] { Fault(); });
}

// Their messages may still come; or those of the others reach them.
void Simulation::CutMinority(uint64_t lasts) {
  std::set<NodeId> away;
  if (random_.Chance(60)) away.insert(LeaderId());
  const size_t most = (hosts_.size() - 1) / 2;
  const uint64_t count = random_.Between(1, most);
  while (away.size() < count) away.insert(Any());
  const uint64_t how = random_.Below(4);
  for (NodeId id : away)
    for (auto& [other, unused] : hosts_) {
      if (away.contains(other)) continue;
      if (how != 0) network_.cuts.insert({id, other});
      if (how != 1) network_.cuts.insert({other, id});
      if (random_.Chance(30)) network_.Reset(id, other);
      if (random_.Chance(30)) network_.Reset(other, id);
    }
  At(lasts, [this] {
    network_.cuts.clear();
    progress_at_ = timeline_.now();
  });
}

void Simulation::Heal() {
  healing_ = true;
  network_.cuts.clear();
  network_.drop_percent = network_.duplicate_percent = 0;
  network_.max_delay_us = 2'000;
  for (auto& [id, host] : hosts_) {
    host.platter.slow = host.platter.full = false;
    host.platter.hung_until =
        std::min(host.platter.hung_until, timeline_.now());
    if (!host.life) Start(id);
  }
}

}  // namespace tidemark::sim
