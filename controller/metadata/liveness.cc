#include "controller/metadata/liveness.h"

#include <algorithm>
#include <utility>

namespace tidemark::controller {

void Liveness::Start(const metadata::Image& image, Instant now) {
  // Feeds opened before the first tick of this reign stay counted.
  std::map<NodeId, State> old = std::exchange(brokers_, {});
  for (const auto& [id, broker] : image.brokers()) {
    State& state = brokers_[id];
    state.epoch = broker->epoch;
    state.last_contact = now;
    state.feeds = old[id].feeds;
  }
  last_check_ = now;
}

void Liveness::Contact(NodeId broker, BrokerEpoch epoch, MetadataOffset applied,
                       Instant now) {
  State& state = brokers_[broker];
  if (state.epoch != epoch) {
    state.epoch = epoch;
    state.applied = 0;
    state.shutdown_offset.reset();
  }
  state.last_contact = std::max(state.last_contact, now);
  state.applied = std::max(state.applied, applied);
}

void Liveness::FeedOpened(NodeId broker, Instant now) {
  State& state = brokers_[broker];
  ++state.feeds;
  state.feed_broke.reset();
  state.last_contact = std::max(state.last_contact, now);
}

void Liveness::FeedClosed(NodeId broker, Instant now) {
  auto found = brokers_.find(broker);
  if (found == brokers_.end() || found->second.feeds == 0) return;
  if (--found->second.feeds == 0) found->second.feed_broke = now;
}

bool Liveness::Alive(const State& state, Instant now) const {
  if (now - state.last_contact >= options_.session) return false;
  return !state.feed_broke ||
         now - *state.feed_broke < options_.reconnect_grace;
}

bool Liveness::HasSession(NodeId broker, Instant now) const {
  auto found = brokers_.find(broker);
  return found != brokers_.end() && !found->second.feed_broke &&
         Alive(found->second, now);
}

bool Liveness::Connected(NodeId broker) const {
  auto found = brokers_.find(broker);
  return found == brokers_.end() || !found->second.feed_broke;
}

std::vector<NodeId> Liveness::Lost(const metadata::Image& image, Instant now) {
  if (now - last_check_ > options_.session / 2) {
    for (auto& [id, state] : brokers_) {
      state.last_contact = now;
      if (state.feed_broke) state.feed_broke = now;
    }
  }
  last_check_ = now;
  std::vector<NodeId> out;
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->fenced) continue;
    auto [state, added] = brokers_.try_emplace(id);
    if (added) {
      state->second.epoch = broker->epoch;
      state->second.last_contact = now;
    }
    if (!Alive(state->second, now)) out.push_back(id);
  }
  return out;
}

void Liveness::SetShutdownOffset(NodeId broker, MetadataOffset offset) {
  State& state = brokers_[broker];
  if (!state.shutdown_offset) state.shutdown_offset = offset;
}

bool Liveness::ShutdownSeenByAll(const metadata::Image& image,
                                 NodeId broker) const {
  auto self = brokers_.find(broker);
  const metadata::BrokerImage* image_of = image.FindBroker(broker);
  if (image_of == nullptr || !image_of->in_controlled_shutdown) return false;
  // Unknown after a failover of the controllers: all of the log then.
  MetadataOffset wanted = image.offset();
  if (self != brokers_.end() && self->second.shutdown_offset) {
    wanted = *self->second.shutdown_offset;
  }
  for (const auto& [id, other] : image.brokers()) {
    if (id == broker || other->fenced || other->in_controlled_shutdown) {
      continue;
    }
    auto found = brokers_.find(id);
    if (found == brokers_.end() || found->second.applied < wanted) {
      return false;
    }
  }
  return true;
}

}  // namespace tidemark::controller
