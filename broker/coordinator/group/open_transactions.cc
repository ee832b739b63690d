#include "broker/coordinator/group/open_transactions.h"

#include <utility>

#include "broker/coordinator/group/footprint.h"

namespace tidemark::coordinator {

void OpenTransactions::Add(ProducerId producer, const std::string& group_id,
                           Offset offset) {
  const auto [it, is_new] = open_.try_emplace(producer);
  if (is_new) {
    it->second.first_offset = offset;
    first_offsets_.insert(offset);
  }
  if (it->second.groups.insert(group_id).second) {
    footprint_ += OpenFootprint(group_id);
  }
}

void OpenTransactions::Remove(ProducerId producer,
                              const std::string& group_id) {
  const auto it = open_.find(producer);
  if (it == open_.end() || it->second.groups.erase(group_id) == 0) return;
  footprint_ -= OpenFootprint(group_id);
  if (it->second.groups.empty()) End(producer);
}

std::set<std::string> OpenTransactions::End(ProducerId producer) {
  auto node = open_.extract(producer);
  if (node.empty()) return {};
  first_offsets_.erase(first_offsets_.find(node.mapped().first_offset));
  for (const std::string& id : node.mapped().groups) {
    footprint_ -= OpenFootprint(id);
  }
  return std::move(node.mapped().groups);
}

std::optional<Offset> OpenTransactions::oldest() const {
  if (first_offsets_.empty()) return std::nullopt;
  return *first_offsets_.begin();
}

}  // namespace tidemark::coordinator
