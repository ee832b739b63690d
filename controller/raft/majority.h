#pragma once

#include <map>
#include <set>

#include "controller/raft/types.h"

namespace tidemark::raft {

enum class VoteOutcome : uint8_t { kPending, kWon, kLost };

// A set of voters that decides by strict majority.
//
// Pure value, safe to copy between threads. The empty set never agrees.
class Majority {
 public:
  Majority() = default;
  explicit Majority(std::set<NodeId> voters) : voters_(std::move(voters)) {}

  // The largest index acknowledged by a majority. A voter missing from
  // `acked` counts as 0: it may still report any index, never a negative one.
  LogIndex CommittedIndex(const std::map<NodeId, LogIndex>& acked) const;

  VoteOutcome Tally(const std::map<NodeId, bool>& votes) const;

  bool Contains(NodeId id) const { return voters_.contains(id); }
  bool IsSingle() const { return voters_.size() == 1; }
  const std::set<NodeId>& voters() const { return voters_; }

 private:
  std::set<NodeId> voters_;
};

}  // namespace tidemark::raft
