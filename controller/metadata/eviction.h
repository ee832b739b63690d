#pragma once

#include <functional>
#include <vector>

#include "controller/metadata/partition_change.h"
#include "controller/metadata/view.h"

namespace tidemark::controller {

// Takes brokers out of in-sync sets and leaderships; each partition changes
// once, to what it is without all of them (C-07). Cost follows the partitions
// that the brokers have replicas of.
struct Eviction {
  std::vector<NodeId> brokers;  // sorted
  // Who may lead instead; the brokers themselves may not.
  Eligibility eligible;
  // The partitions meant; unset: all.
  std::function<bool(const PartitionImage&)> which = {};
  // Their processes have not stopped in order: what was acknowledged from page
  // caches only may be lost.
  bool unclean = false;
};
void Evict(const View& view, const Eviction& eviction, Records* out);

// Where an eviction goes on that is done in parts.
struct EvictionCursor {
  size_t broker = 0;                 // index of the first that is not done with
  metadata::PartitionKey partition;  // of its replicas, the first not looked at
};
// At most `limit` partitions more, and looks at no more than
// kLooksPerChange * limit: of the last brokers of many, most partitions have
// changed with an earlier one. True when none is left.
inline constexpr size_t kLooksPerChange = 4;
bool EvictSome(const View& view, const Eviction& eviction, size_t limit,
               EvictionCursor* cursor, Records* out);

// All partitions of these brokers, which may not lead any more.
void EvictEverywhere(const View& view, std::vector<NodeId> brokers,
                     bool unclean, Records* out);

// Leaders for partitions that wait for `broker`.
void ElectLeaderless(const View& view, NodeId broker,
                     const Eligibility& eligible, Records* out);

}  // namespace tidemark::controller
