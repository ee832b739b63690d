#include "broker/coordinator/group/transactional_offsets.h"

#include <utility>

#include "broker/coordinator/group/footprint.h"

namespace tidemark::coordinator {

void TransactionalOffsets::Put(ProducerId producer,
                               const TopicPartition& partition,
                               CommittedOffset value) {
  Offsets& offsets = by_producer_[producer];
  if (const auto it = offsets.find(partition); it != offsets.end()) {
    footprint_ -= OpenFootprint(partition, it->second);
  }
  footprint_ += OpenFootprint(partition, value);
  offsets.insert_or_assign(partition, std::move(value));
  by_partition_[partition].insert(producer);
}

TransactionalOffsets::Offsets TransactionalOffsets::Take(ProducerId producer) {
  auto node = by_producer_.extract(producer);
  if (node.empty()) return {};
  for (const auto& [partition, value] : node.mapped()) {
    footprint_ -= OpenFootprint(partition, value);
    const auto it = by_partition_.find(partition);
    it->second.erase(producer);
    if (it->second.empty()) by_partition_.erase(it);
  }
  return std::move(node.mapped());
}

std::vector<ProducerId> TransactionalOffsets::Drop(
    const TopicPartition& partition) {
  std::vector<ProducerId> left_with_nothing;
  const auto node = by_partition_.extract(partition);
  if (node.empty()) return left_with_nothing;
  for (const ProducerId producer : node.mapped()) {
    const auto of = by_producer_.find(producer);
    const auto it = of->second.find(partition);
    footprint_ -= OpenFootprint(it->first, it->second);
    of->second.erase(it);
    if (!of->second.empty()) continue;
    by_producer_.erase(of);
    left_with_nothing.push_back(producer);
  }
  return left_with_nothing;
}

const TransactionalOffsets::Offsets* TransactionalOffsets::Of(
    ProducerId producer) const {
  const auto it = by_producer_.find(producer);
  return it == by_producer_.end() ? nullptr : &it->second;
}

}  // namespace tidemark::coordinator
