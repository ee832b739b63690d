#pragma once

#include <map>
#include <memory>
#include <vector>

#include "broker/replication/peer_probe.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// The fetchers of a shard, one a leader, and which partition is fetched from
// whom. A leader whose address is not known yet is fetched from when its
// broker's row arrives; one that moves is fetched from at its new address.
// Followers of partitions led here that nothing is fetched from are watched.
class FollowerFetchers {
 public:
  FollowerFetchers(ShardState& state, FetchTarget& target)
      : state_(state), target_(target) {}

  // From the partition's leader, in the epoch it has: anew.
  void Follow(Slot& slot);
  void Unfollow(Slot& slot);
  // Its log is back. `moved`: cut; else the same answer would come again.
  void Resume(Slot& slot, bool moved);
  // The partition's disk has caught up.
  void Flushed(const Slot& slot);
  // It leads, or no longer does.
  void LeadershipChanged(Slot& slot, bool leads);
  void BrokersChanged(const std::vector<NodeId>& brokers);
  void Close() {
    fetchers_.clear();
    probes_.clear();
  }
  size_t size() const { return fetchers_.size(); }

 private:
  Fetcher* FetcherFor(NodeId leader);
  // nullptr: not known.
  const metadata::EndpointImage* EndpointOf(NodeId broker) const;
  void UpdateProbe(NodeId peer);

  ShardState& state_;
  FetchTarget& target_;
  std::map<NodeId, std::unique_ptr<Fetcher>> fetchers_;
  std::map<NodeId, size_t> followed_by_;  // by how many partitions led here
  std::map<NodeId, std::unique_ptr<PeerProbe>> probes_;
};

}  // namespace tidemark::replication
