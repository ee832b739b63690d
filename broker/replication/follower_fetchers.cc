#include "broker/replication/follower_fetchers.h"

namespace tidemark::replication {

const metadata::EndpointImage* FollowerFetchers::EndpointOf(NodeId id) const {
  const auto* broker = state_.env.image->FindBroker(id);
  return broker == nullptr
             ? nullptr
             : broker->FindEndpoint(state_.options.inter_broker_listener);
}

Fetcher* FollowerFetchers::FetcherFor(NodeId leader) {
  if (const auto it = fetchers_.find(leader); it != fetchers_.end()) {
    return it->second.get();
  }
  const auto* endpoint = EndpointOf(leader);
  if (endpoint == nullptr) return nullptr;
  probes_.erase(leader);
  auto fetcher = std::make_unique<Fetcher>(
      state_.executor, state_.options.fetcher, leader, endpoint->host,
      endpoint->port, state_.services.connect, target_);
  return fetchers_.emplace(leader, std::move(fetcher)).first->second.get();
}

void FollowerFetchers::LeadershipChanged(Slot& slot, bool leads) {
  std::vector<NodeId> watched;
  if (leads) watched = slot.partition.replicas();
  std::erase(watched, state_.options.self);
  for (const NodeId id : watched) ++followed_by_[id];
  for (const NodeId id : slot.watched) {
    if (--followed_by_[id] == 0) followed_by_.erase(id);
  }
  slot.watched.swap(watched);
  for (const NodeId id : slot.watched) UpdateProbe(id);
  for (const NodeId id : watched) UpdateProbe(id);
}

void FollowerFetchers::UpdateProbe(NodeId peer) {
  const auto* endpoint = EndpointOf(peer);
  const auto it = probes_.find(peer);
  if (endpoint == nullptr || !followed_by_.contains(peer) ||
      fetchers_.contains(peer)) {
    if (it != probes_.end()) probes_.erase(it);
    return;
  }
  if (it != probes_.end() && it->second->host() == endpoint->host &&
      it->second->port() == endpoint->port) {
    return;
  }
  probes_.erase(peer);
  probes_.emplace(
      peer, std::make_unique<PeerProbe>(state_.executor, state_.options.fetcher,
                                        peer, endpoint->host, endpoint->port,
                                        state_.services.connect, target_));
}

void FollowerFetchers::Follow(Slot& slot) {
  const auto position = slot.partition.FollowerPosition();
  if (!position || position->leader != slot.fetching_from) Unfollow(slot);
  if (!position) return;
  Fetcher* fetcher = FetcherFor(position->leader);
  if (fetcher == nullptr) return;  // until the broker's row arrives
  slot.fetching_from = position->leader;
  fetcher->Add(slot.partition.name(), slot.partition.topic_id());
}

void FollowerFetchers::Resume(Slot& slot, bool moved) {
  const auto it = fetchers_.find(slot.fetching_from);
  if (it == fetchers_.end()) return Follow(slot);
  it->second->Resume(slot.partition.name(), moved);
}

void FollowerFetchers::Unfollow(Slot& slot) {
  const auto it = fetchers_.find(std::exchange(slot.fetching_from, kNoNode));
  if (it == fetchers_.end()) return;
  it->second->Remove(slot.partition.name());
  if (!it->second->empty()) return;
  // Not under its own feet: it may be the one that called.
  state_.executor.Post([this, alive = state_.alive, id = it->first] {
    if (!*alive) return;
    const auto it = fetchers_.find(id);
    if (it == fetchers_.end() || !it->second->empty()) return;
    fetchers_.erase(it);
    UpdateProbe(id);
  });
}

void FollowerFetchers::Flushed(const Slot& slot) {
  const auto it = fetchers_.find(slot.fetching_from);
  if (it != fetchers_.end()) it->second->Flushed(slot.partition.name());
}

void FollowerFetchers::BrokersChanged(const std::vector<NodeId>& brokers) {
  bool moved = false;
  for (const NodeId id : brokers) {
    UpdateProbe(id);
    const auto it = fetchers_.find(id);
    if (it == fetchers_.end()) continue;
    const auto* endpoint = EndpointOf(id);
    if (endpoint == nullptr || (endpoint->host == it->second->host() &&
                                endpoint->port == it->second->port())) {
      continue;
    }
    fetchers_.erase(it);
    moved = true;
  }
  for (auto& [name, slot] : state_.slots) {
    if (moved && !fetchers_.contains(slot->fetching_from)) {
      slot->fetching_from = kNoNode;
    }
    if (slot->fetching_from == kNoNode && slot->partition.FollowerPosition()) {
      Follow(*slot);
    }
  }
}

}  // namespace tidemark::replication
