#include "controller/metadata/partition_change.h"

#include <algorithm>

#include "common/metadata/configs.h"

namespace tidemark::controller {
namespace {

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Eligibility Eligibility::Without(const Image& image, NodeId broker) {
  Eligibility out(image);
  out.out_ = broker;
  return out;
}

Eligibility Eligibility::With(const Image& image, NodeId broker) {
  Eligibility out(image);
  out.in_ = broker;
  return out;
}

bool Eligibility::operator()(NodeId id) const {
  if (id == out_ || id == kNoNode) return false;
  if (id == in_) return true;
  const BrokerImage* broker = image_.FindBroker(id);
  return broker != nullptr && !broker->fenced &&
         !broker->in_controlled_shutdown;
}

PartitionChange::PartitionChange(const TopicImage& topic, PartitionIndex index,
                                 Eligibility eligible)
    : topic_(topic),
      index_(index),
      old_(*topic.partitions[index]),
      eligible_(eligible),
      next_(old_) {}

PartitionChange& PartitionChange::Isr(std::vector<NodeId> isr) {
  next_.isr = std::move(isr);
  return *this;
}

PartitionChange& PartitionChange::WithoutIsrMember(NodeId broker) {
  if (next_.isr.size() > 1) std::erase(next_.isr, broker);
  return *this;
}

PartitionChange& PartitionChange::Kind(Election kind) {
  kind_ = kind;
  return *this;
}

PartitionChange& PartitionChange::UncleanIf(std::function<bool()> allowed) {
  unclean_allowed_ = std::move(allowed);
  return *this;
}

PartitionChange& PartitionChange::Recovered() {
  next_.recovering = false;
  return *this;
}

bool PartitionChange::Valid(NodeId broker) const {
  return eligible_(broker) && Contains(next_.isr, broker);
}

void PartitionChange::Elect() {
  if (kind_ == Election::kPreferred && Valid(next_.replicas[0])) {
    next_.leader = next_.replicas[0];
    return;
  }
  if (Valid(next_.leader)) return;
  for (NodeId id : next_.replicas) {
    if (!Valid(id)) continue;
    next_.leader = id;
    return;
  }
  next_.leader = kNoNode;
  if (!unclean_allowed_ || !unclean_allowed_()) return;
  for (NodeId id : next_.replicas) {
    if (!eligible_(id)) continue;
    next_.leader = id;
    next_.isr = {id};
    next_.recovering = true;
    unclean_ = true;
    return;
  }
}

std::optional<record_v1::Record> PartitionChange::Build() {
  Elect();
  // C-13: not for a smaller ISR alone (KAFKA-15021).
  if (next_.leader != old_.leader || unclean_) ++next_.leader_epoch;
  if (next_ == old_) return std::nullopt;
  ++next_.partition_epoch;
  record_v1::Record record;
  record_v1::ChangePartition* change = record.mutable_change_partition();
  change->set_topic_id(topic_.id.ToBytes());
  change->set_partition(index_);
  if (next_.isr != old_.isr) {
    change->mutable_isr()->Add(next_.isr.begin(), next_.isr.end());
  }
  if (next_.leader != old_.leader) change->set_leader(next_.leader);
  if (next_.leader_epoch != old_.leader_epoch) {
    change->set_leader_epoch(next_.leader_epoch);
  }
  if (next_.recovering != old_.recovering) {
    change->set_recovery(next_.recovering ? record_v1::RECOVERING
                                          : record_v1::RECOVERED);
  }
  return record;
}

bool UncleanElectionEnabled(const Image& image, const std::string& topic,
                            const Settings& settings) {
  return metadata::ResolveTopicConfig(image, topic,
                                      "unclean.leader.election.enable", kNoNode,
                                      settings.static_configs)
             .value == "true";
}

}  // namespace tidemark::controller
