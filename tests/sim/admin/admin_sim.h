#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidemark::sim {

struct AdminSimOptions {
  uint64_t seed = 1;
  int nodes = 3;
  int faults = 25;
};

struct AdminSimResult {
  // What broke and when; nullopt: everything held.
  std::optional<std::string> failure;
  uint64_t events = 0;
  uint64_t answered = 0;  // operations
  uint64_t unknown = 0;   // that may have happened or not
  uint64_t again = 0;     // asked again under the same id, and answered
  uint64_t leaders = 0;   // that a controller became
  uint64_t digest = 0;    // of everything: equal for equal options
};

// Controllers as in production, whole (controller/service on quorum::Node), on
// simulated disks, network and clocks, from one seed; clients that create,
// grow, change, move, delete and describe topics by whichever controller leads,
// and ask again, under the same request id, when they hear nothing.
//
// Checked: what the clients were told is linearizable, topic by topic (C-26); a
// healed quorum answers within ten seconds, and then every controller has the
// same metadata (C-27).
AdminSimResult RunAdminSim(const AdminSimOptions& options);

}  // namespace tidemark::sim
