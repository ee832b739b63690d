#include "controller/raft/read_index.h"

#include <algorithm>
#include <utility>

namespace tidemark::raft {

void ReadIndexQueue::Release(LogIndex index) {
  for (uint64_t context : std::exchange(held_, {})) Add(context, index);
}

void ReadIndexQueue::Acked(NodeId from, uint64_t round) {
  uint64_t& acked = acked_[from];
  acked = std::max(acked, std::min(round, round_));
}

std::vector<ReadState> ReadIndexQueue::TakeConfirmed(const Majority& voters,
                                                     NodeId self) {
  std::vector<ReadState> confirmed;
  if (waiting_.empty()) return confirmed;
  acked_[self] = round_;
  const uint64_t round = voters.CommittedIndex(acked_);
  while (!waiting_.empty() && waiting_.front().round <= round) {
    confirmed.push_back(waiting_.front().read);
    waiting_.pop_front();
  }
  return confirmed;
}

}  // namespace tidemark::raft
