#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::replication {

struct ReplicationSimOptions {
  uint64_t seed = 1;
  int faults = 25;  // kills, power cuts, pauses, cuts
  // Another one every so often, ms.
  int fault_every_ms = 700;
};

struct ReplicationSimResult {
  // What broke and when, in one line; nullopt: everything held.
  std::optional<std::string> failure;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t committed = 0;  // records
  uint64_t epochs = 0;     // leader epochs
};

// Three brokers with the production partition, log and ISR code on simulated
// disks (a power cut loses what was not synced), a simulated network (drops,
// delays, reordering, cuts) and the production deciders as the controller;
// clients write with acks=all, two of them idempotent. One seed, one run.
//
// Checked after every event: B-01; one record per offset below any high
// watermark ever, on every replica (B-03, B-04, B-05); an acknowledged record
// stands where it was said to stand, and no idempotent record twice (B-26); a
// new leader has everything committed (B-04); offsets told to consumers never
// go back under the same or a later epoch (B-06). From time to time B-16: equal
// (offset, epoch) means equal prefixes. In the end, healed: everybody in the
// ISR, equal logs, every client served.
ReplicationSimResult RunReplicationSim(const ReplicationSimOptions& options);

}  // namespace tidemark::replication
