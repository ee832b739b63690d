#include "controller/quorum/options.h"

#include <set>

namespace tidemark::quorum {

Status CheckOptions(const Options& options) {
  std::set<NodeId> ids;
  for (const Voter& voter : options.voters) {
    if (!ids.insert(voter.id).second)
      return Fail(ErrorCode::kInvalidConfig,
                  "controller.quorum.voters names node " +
                      std::to_string(voter.id) + " twice");
  }
  if (!ids.empty() && !ids.contains(options.self))
    return Fail(ErrorCode::kInvalidConfig,
                "node.id " + std::to_string(options.self) +
                    " is not in controller.quorum.voters");
  if (options.tick_ms < 1 || options.heartbeat_ticks < 1 ||
      options.election_ticks_min <= options.heartbeat_ticks ||
      options.election_ticks_max < options.election_ticks_min)
    return Fail(ErrorCode::kInvalidConfig,
                "quorum timing: the election timeout must be longer than the "
                "heartbeat interval");
  return {};
}

}  // namespace tidemark::quorum
