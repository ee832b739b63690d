#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::sim {

// Which faults there are, one after the other, before everything is healed.
enum class QuorumFaults {
  // Cuts, lost and doubled messages, broken streams of nodes that live, kills,
  // pauses, slow, hung and full disks.
  kAll,
  // The leader's disk stands still for up to a minute; meanwhile the others
  // must go on.
  kHungLeader,
  // A minority is cut off, in one direction or both; meanwhile the others must
  // go on.
  kCutMinority,
};

struct QuorumSimOptions {
  uint64_t seed = 1;
  int nodes = 3;
  int faults = 40;
  QuorumFaults kind = QuorumFaults::kAll;
  // Members come and go, disks are lost. Half of such runs begin with a quorum
  // that knows ids only and agrees on directories later.
  bool changes = false;
  // Clocks of nodes run 0.8 to 1.25 times as fast as they should.
  bool uneven_clocks = true;
  // A disk that says "durable" before it is: what the checkers are for.
  bool disk_lies = false;
};

struct QuorumSimResult {
  // What broke and when, in one line; nullopt: everything held.
  std::optional<std::string> failure;
  uint64_t events = 0;            // steps of the simulation, each one checked
  uint64_t elections = 0;         // terms that had a leader
  uint64_t committed = 0;         // entries
  uint64_t reads = 0;             // confirmed linearizable reads
  uint64_t proposals = 0;         // answered, one way or the other
  uint64_t snapshots = 0;         // installed
  uint64_t transfers = 0;         // of leadership, begun
  uint64_t changes = 0;           // of the members, committed
  uint64_t wiped = 0;             // disks lost
  uint64_t given_up = 0;          // processes that ended because of their disk
  uint64_t stalls = 0;            // hung leaders, or minorities cut off
  uint64_t longest_stall_ms = 0;  // without progress, where there must be some
  uint64_t virtual_ms = 0;
  // Of everything that happened: equal for equal options.
  uint64_t digest = 0;
};

// Runs `nodes` production nodes (quorum::Node) on a simulated network (delays,
// drops, duplicates, reordering, one-way cuts, broken streams), simulated disks
// (a kill loses what is not synced) and simulated clocks, all from one seed.
//
// After every event the invariants R-01 … are checked, reads are
// checked to be linearizable, state machines to be equal; in the end that what
// was acknowledged is there and what was refused is not (C-26), and, healed,
// that a leader brings every node to the same state within ten seconds.
QuorumSimResult RunQuorumSim(const QuorumSimOptions& options);

}  // namespace tidemark::sim
