#include "broker/replication/follower_fetchers.h"

namespace tidemark::replication {

Fetcher* FollowerFetchers::FetcherFor(NodeId leader) {
  if (const auto it = fetchers_.find(leader); it != fetchers_.end()) {
    return it->second.get();
  }
  const auto* broker = state_.env.image->FindBroker(leader);
  const auto* endpoint =
      broker == nullptr
          ? nullptr
          : broker->FindEndpoint(state_.options.inter_broker_listener);
  if (endpoint == nullptr) return nullptr;
  auto fetcher = std::make_unique<Fetcher>(
      state_.executor, state_.options.fetcher, leader, endpoint->host,
      endpoint->port, state_.services.connect, target_);
  return fetchers_.emplace(leader, std::move(fetcher)).first->second.get();
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
    if (it != fetchers_.end() && it->second->empty()) fetchers_.erase(it);
  });
}

void FollowerFetchers::Flushed(const Slot& slot) {
  const auto it = fetchers_.find(slot.fetching_from);
  if (it != fetchers_.end()) it->second->Flushed(slot.partition.name());
}

void FollowerFetchers::BrokersChanged(const std::vector<NodeId>& brokers) {
  bool moved = false;
  for (const NodeId id : brokers) {
    const auto it = fetchers_.find(id);
    if (it == fetchers_.end()) continue;
    const auto* broker = state_.env.image->FindBroker(id);
    const auto* endpoint =
        broker == nullptr
            ? nullptr
            : broker->FindEndpoint(state_.options.inter_broker_listener);
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
