#include "controller/metadata/placement.h"

#include <algorithm>
#include <map>
#include <set>

namespace tidemark::controller {
namespace {

void Shuffle(std::vector<NodeId>* ids, const RandomBelow& random) {
  for (size_t i = ids->size(); i > 1; --i) {
    std::swap((*ids)[i - 1], (*ids)[random(i)]);
  }
}

// The brokers of one rack and where the next stripe continues.
struct Rack {
  std::vector<NodeId> unfenced, fenced;
  size_t next_leader = 0, next_follower = 0;

  NodeId TakeLeader() {
    size_t at = next_leader++ % unfenced.size();
    // Followers after the leader in the same rack are its successors.
    if (next_follower % unfenced.size() == at) ++next_follower;
    return unfenced[at];
  }

  NodeId TakeFollower(const std::set<NodeId>& used) {
    for (const std::vector<NodeId>* ids : {&unfenced, &fenced}) {
      for (size_t i = 0; i < ids->size(); ++i) {
        size_t at = (next_follower + i) % ids->size();
        if (used.contains((*ids)[at])) continue;
        next_follower = at + 1;
        return (*ids)[at];
      }
    }
    return kNoNode;
  }
};

class Placer {
 public:
  Placer(const metadata::Image& state, const RandomBelow& random,
         const std::vector<NodeId>* leaving)
      : random_(random) {
    std::map<std::string, Rack> by_name;
    for (const auto& [id, broker] : state.brokers()) {
      if (broker->in_controlled_shutdown) continue;
      Rack& rack = by_name[broker->rack];
      const bool out =
          broker->fenced ||
          (leaving != nullptr &&
           std::binary_search(leaving->begin(), leaving->end(), id));
      (out ? rack.fenced : rack.unfenced).push_back(id);
      ++usable_;
      if (!out) ++unfenced_;
    }
    for (auto& [name, rack] : by_name) racks_.push_back(std::move(rack));
    if (!racks_.empty()) first_rack_ = random_(racks_.size());
  }

  size_t usable() const { return usable_; }
  size_t unfenced() const { return unfenced_; }

  // REQUIRES: unfenced() > 0, replicas <= usable().
  std::vector<NodeId> Place(size_t replicas) {
    if (placed_++ % unfenced_ == 0) Reshuffle();
    std::vector<NodeId> out;
    std::set<NodeId> used;
    auto add = [&](NodeId id) {
      out.push_back(id);
      used.insert(id);
    };
    size_t at = first_rack_;
    first_rack_ = (first_rack_ + 1) % racks_.size();
    while (racks_[at].unfenced.empty()) at = (at + 1) % racks_.size();
    add(racks_[at].TakeLeader());
    while (out.size() < replicas) {
      at = (at + 1) % racks_.size();
      NodeId id = racks_[at].TakeFollower(used);
      if (id != kNoNode) add(id);
    }
    return out;
  }

 private:
  void Reshuffle() {
    for (Rack& rack : racks_) {
      Shuffle(&rack.unfenced, random_);
      Shuffle(&rack.fenced, random_);
      rack.next_leader = rack.next_follower = 0;
    }
  }

  const RandomBelow& random_;
  std::vector<Rack> racks_;  // in order of name
  size_t first_rack_ = 0;
  size_t usable_ = 0, unfenced_ = 0, placed_ = 0;
};

}  // namespace

Result<std::vector<std::vector<NodeId>>> PlaceReplicas(
    const metadata::Image& state, size_t partitions, size_t replication_factor,
    const RandomBelow& random, const std::vector<NodeId>* leaving) {
  Placer placer(state, random, leaving);
  if (replication_factor == 0 || replication_factor > placer.usable()) {
    return Fail(ErrorCode::kInvalidReplicationFactor,
                "Unable to replicate the partition " +
                    std::to_string(replication_factor) +
                    " time(s): The target replication factor of " +
                    std::to_string(replication_factor) +
                    " cannot be reached because only " +
                    std::to_string(placer.usable()) +
                    " broker(s) are registered.");
  }
  if (placer.unfenced() == 0) {
    return Fail(ErrorCode::kInvalidReplicationFactor,
                "Unable to replicate the partition: All brokers are currently "
                "fenced.");
  }
  std::vector<std::vector<NodeId>> out;
  for (size_t i = 0; i < partitions; ++i) {
    out.push_back(placer.Place(replication_factor));
  }
  return out;
}

}  // namespace tidemark::controller
