#include "controller/raft/majority.h"

#include <algorithm>
#include <vector>

namespace tidemark::raft {

LogIndex Majority::CommittedIndex(
    const std::map<NodeId, LogIndex>& acked) const {
  if (voters_.empty()) return 0;
  std::vector<LogIndex> indexes;
  indexes.reserve(voters_.size());
  for (NodeId voter : voters_) {
    auto it = acked.find(voter);
    indexes.push_back(it == acked.end() ? 0 : it->second);
  }
  // The middle one (the lower middle of an even number) has a majority at or
  // above it.
  auto middle = indexes.begin() + (indexes.size() - 1) / 2;
  std::nth_element(indexes.begin(), middle, indexes.end());
  return *middle;
}

VoteOutcome Majority::Tally(const std::map<NodeId, bool>& votes) const {
  size_t granted = 0, refused = 0;
  for (const auto& [voter, yes] : votes) {
    if (!voters_.contains(voter)) continue;
    ++(yes ? granted : refused);
  }
  const size_t needed = voters_.size() / 2 + 1;
  if (granted >= needed) return VoteOutcome::kWon;
  if (voters_.size() - refused < needed) return VoteOutcome::kLost;
  return VoteOutcome::kPending;
}

}  // namespace tidemark::raft
