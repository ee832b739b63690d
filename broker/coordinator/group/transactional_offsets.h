#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "broker/coordinator/group/requests.h"

namespace tidemark::coordinator {

// What a group's open transactions have committed: kept until a marker ends
// the transaction. Pure; one owner.
class TransactionalOffsets {
 public:
  using Offsets = std::map<TopicPartition, CommittedOffset>;

  void Put(ProducerId producer, const TopicPartition& partition,
           CommittedOffset value);
  // Ends the producer's transaction; gives what it has here.
  Offsets Take(ProducerId producer);
  // The partition's offset is deleted: open ones, too, or their marker would
  // bring it back. Gives the producers that have nothing left here.
  std::vector<ProducerId> Drop(const TopicPartition& partition);

  bool empty() const { return by_producer_.empty(); }
  bool Contains(const TopicPartition& partition) const {
    return by_partition_.contains(partition);
  }
  // nullptr: it has nothing here.
  const Offsets* Of(ProducerId producer) const;
  const std::map<ProducerId, Offsets>& by_producer() const {
    return by_producer_;
  }
  const std::map<TopicPartition, std::set<ProducerId>>& by_partition() const {
    return by_partition_;
  }
  size_t footprint() const { return footprint_; }

 private:
  std::map<ProducerId, Offsets> by_producer_;
  std::map<TopicPartition, std::set<ProducerId>> by_partition_;
  size_t footprint_ = 0;
};

}  // namespace tidemark::coordinator
