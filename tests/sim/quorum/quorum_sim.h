#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::sim {

struct QuorumSimOptions {
  uint64_t seed = 1;
  int nodes = 3;
  // Faults before everything is healed: cuts, kills, pauses, slow disks, hung
  // disks.
  int faults = 40;
  // Members come and go, disks are lost. Half of such runs begin with a quorum
  // that knows ids only and agrees on directories later.
  bool changes = false;
  // The only fault is the leader's disk, which stands still for up to a
  // minute; meanwhile the others must go on.
  bool only_hung_disks = false;
  // A disk that says "durable" before it is: what the checkers are for.
  bool disk_lies = false;
};

struct QuorumSimResult {
  // What broke and when, in one line; nullopt: everything held.
  std::optional<std::string> failure;
  uint64_t events = 0;     // steps of the simulation, each one checked
  uint64_t elections = 0;  // terms that had a leader
  uint64_t committed = 0;  // entries
  uint64_t reads = 0;      // confirmed linearizable reads
  uint64_t snapshots = 0;  // installed
  uint64_t transfers = 0;  // of leadership, begun
  uint64_t changes = 0;    // of the members, committed
  uint64_t wiped = 0;      // disks lost
  uint64_t hung_leaders = 0;
  uint64_t virtual_ms = 0;
  // Of everything that happened: equal for equal options.
  uint64_t digest = 0;
};

// Runs `nodes` production raft cores on a simulated network (delays, drops,
// duplicates, reordering, one-way cuts), simulated disks (a kill loses what is
// not synced) and simulated time, all from one seed. After every event the
// invariants R-01 … are checked, reads are checked to be
// linearizable, and state machines to be equal; at the end, healed, a leader
// must be there and bring every node to the same state within ten seconds
//
QuorumSimResult RunQuorumSim(const QuorumSimOptions& options);

}  // namespace tidemark::sim
