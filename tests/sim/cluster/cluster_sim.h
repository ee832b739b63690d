#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::sim {

struct ClusterSimOptions {
  uint64_t seed = 1;
  int faults = 15;
  int fault_every_ms = 700;
  bool transactions = false;
};

struct ClusterSimResult {
  // What broke and when, in one line; nullopt: everything held.
  std::optional<std::string> failure;
  uint64_t events = 0;
  uint64_t acknowledged = 0;  // records
  uint64_t shown = 0;         // different records, to consumers
  uint64_t committed = 0;     // records, as seen from inside
  uint64_t transactions = 0;  // that applications were told are committed
  uint64_t hash = 0;          // of all that happened
};

// Four production brokers (log manager, shards, replica manager, fetchers,
// fetch sessions, ISR updater, publisher, session and subscriber) and three
// production controllers on simulated threads, disks and networks; producers,
// plain and idempotent, with several requests out, and consumers. With
// `transactions` the brokers coordinate these as in production, handlers,
// peers' calls and all, and most clients are applications that consume,
// transform and produce in them (Application), beside consumers that read what
// is committed. One seed, one run, one hash.
//
// Faults: kills, power cuts, clean stops, pauses, cuts of the network in one or
// both directions, other controllers, crashed controllers, topics' settings
// that change, full disks, no descriptors, failed writes, reads and syncs,
// wiped directories, flipped bits.
//
// Checked: see History, Inspector and TransactionHistory, all the time; and in
// the end, when everything is repaired, that everybody is in sync, everything
// sent is acknowledged and read, the replicas are equal and no transaction is
// open.
ClusterSimResult RunClusterSim(const ClusterSimOptions& options);

}  // namespace tidemark::sim
