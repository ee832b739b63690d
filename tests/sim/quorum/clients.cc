// Clients propose and read wherever somebody believes to lead.
#include "tests/sim/quorum/simulation.h"

namespace tidemark::sim {

void Simulation::Client() {
  for (auto& [id, host] : hosts_) {
    if (!host.Leads()) continue;
    if (random_.Chance(70)) Propose(host);
    if (random_.Chance(30)) Read(host);
  }
  At(random_.Between(1'000, 60'000), [this] { Client(); });
}

void Simulation::Propose(Host& host) {
  std::string value = "v" + std::to_string(next_value_++);
  host.life->node->Propose(value, [this, value](Result<MetadataOffset> at) {
    ++result_.proposals;
    if (at) {
      done_.emplace_back(value, *at);
    } else if (at.error().code != quorum::kOutcomeUnknown) {
      refused_.insert(value);
    }
  });
}

void Simulation::Read(Host& host) {
  const raft::LogIndex floor = checker_.last_committed();
  host.life->node->ReadIndex(
      [this, &machine = host.life->machine, floor](const Status& status) {
        if (!status) return;
        ++result_.reads;
        if (machine.applied() < floor)
          Fail("stale read at " + std::to_string(machine.applied()) +
               ", committed was " + std::to_string(floor));
      });
}

// C-26: what was acknowledged is there, what was refused never came.
void Simulation::CheckOutcomes() {
  const auto& committed = checker_.committed();
  for (const auto& [value, at] : done_) {
    auto entry = committed.find(static_cast<raft::LogIndex>(at));
    if (entry == committed.end() || entry->second.data.view() != value)
      return Fail("C-26: " + value + " was acknowledged at " +
                  std::to_string(at) + " and is not there");
  }
  for (const auto& [index, entry] : committed)
    if (refused_.contains(entry.data.view()))
      return Fail("C-26: " + std::string(entry.data.view()) +
                  " was refused and is at " + std::to_string(index));
}

}  // namespace tidemark::sim
