#include "controller/metadata/liveness.h"

#include <algorithm>
#include <utility>

namespace tidemark::controller {

Liveness::State Liveness::NewState(const metadata::BrokerImage& broker,
                                   Instant now) const {
  State state;
  state.epoch = broker.epoch;
  state.incarnation = broker.incarnation;
  state.last_contact = now;
  if (!feeds_.contains({broker.id, broker.incarnation})) {
    state.feed_due = now + options_.session;
  }
  return state;
}

void Liveness::Start(const metadata::Image& image, Instant now) {
  brokers_.clear();
  for (const auto& [id, broker] : image.brokers()) {
    brokers_[id] = NewState(*broker, now);
  }
  last_check_ = now;
}

void Liveness::Contact(const metadata::BrokerImage& broker,
                       MetadataOffset applied, Instant now) {
  State& state = brokers_[broker.id];
  if (state.epoch != broker.epoch) state = NewState(broker, now);
  state.last_contact = std::max(state.last_contact, now);
  state.applied = std::max(state.applied, applied);
}

void Liveness::Report(NodeId from, std::set<NodeId> refusing,
                      std::set<NodeId> silent) {
  auto found = brokers_.find(from);
  if (found == brokers_.end()) return;
  found->second.refusing = std::move(refusing);
  found->second.silent = std::move(silent);
}

Liveness::State* Liveness::StateOf(NodeId broker, const Uuid& incarnation) {
  auto found = brokers_.find(broker);
  if (found == brokers_.end() || found->second.incarnation != incarnation) {
    return nullptr;
  }
  return &found->second;
}

void Liveness::FeedOpened(NodeId broker, const Uuid& incarnation, Instant now) {
  ++feeds_[{broker, incarnation}];
  if (State* state = StateOf(broker, incarnation)) {
    state->feed_due.reset();
    state->feed_broke = false;
    state->last_contact = std::max(state->last_contact, now);
  }
}

void Liveness::FeedClosed(NodeId broker, const Uuid& incarnation, Instant now) {
  auto open = feeds_.find({broker, incarnation});
  if (open == feeds_.end() || --open->second > 0) return;
  feeds_.erase(open);
  if (State* state = StateOf(broker, incarnation)) {
    state->feed_due = now + options_.reconnect_grace;
    state->feed_broke = true;
  }
}

bool Liveness::Alive(const State& state, Instant now) const {
  return now - state.last_contact < options_.session &&
         (!state.feed_due || now < *state.feed_due);
}

bool Liveness::HasSession(NodeId broker, Instant now) const {
  auto found = brokers_.find(broker);
  return found != brokers_.end() &&
         now - found->second.last_contact < options_.session;
}

bool Liveness::Connected(NodeId broker) const {
  auto found = brokers_.find(broker);
  return found != brokers_.end() && !found->second.feed_due;
}

void Liveness::ForgiveOwnPause(Instant now) {
  const Duration pause = now - std::exchange(last_check_, now);
  if (pause <= std::min(options_.session, options_.suspicion) / 2) return;
  for (auto& [id, state] : brokers_) {
    state.last_contact = now;
    if (state.feed_due) {
      state.feed_due =
          std::max(*state.feed_due + pause, now + options_.reconnect_grace);
    }
  }
}

Liveness::Seen Liveness::SeenByOthers(const metadata::Image& image,
                                      Instant now) const {
  Seen seen;
  for (const auto& [id, state] : brokers_) {
    if (state.refusing.empty() && state.silent.empty()) continue;
    const metadata::BrokerImage* broker = image.FindBroker(id);
    if (broker == nullptr || broker->fenced || state.feed_due ||
        now - state.last_contact >= options_.suspicion) {
      continue;
    }
    seen.refusing.insert(state.refusing.begin(), state.refusing.end());
    seen.silent.insert(state.silent.begin(), state.silent.end());
  }
  return seen;
}

bool Liveness::Suspected(NodeId broker, const State& state, const Seen& seen,
                         Instant now) const {
  const bool refuses = seen.refusing.contains(broker);
  if (state.feed_broke && refuses) return true;
  return now - state.last_contact >= options_.suspicion &&
         (refuses || seen.silent.contains(broker));
}

std::vector<NodeId> Liveness::Lost(const metadata::Image& image, Instant now) {
  ForgiveOwnPause(now);
  std::erase_if(brokers_, [&](const auto& known) {
    return image.FindBroker(known.first) == nullptr;
  });
  const Seen seen = SeenByOthers(image, now);
  std::vector<NodeId> out;
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->fenced) continue;
    auto found = brokers_.find(id);
    if (found == brokers_.end()) {
      found = brokers_.emplace(id, NewState(*broker, now)).first;
    }
    if (!Alive(found->second, now) || Suspected(id, found->second, seen, now)) {
      out.push_back(id);
    }
  }
  return out;
}

std::string Liveness::WhyLost(NodeId broker, Instant now) const {
  auto found = brokers_.find(broker);
  if (found == brokers_.end()) return "not known";
  const State& state = found->second;
  if (!Alive(state, now)) {
    return state.feed_due ? "no feed" : "no heartbeat";
  }
  return state.feed_broke ? "no feed, and another broker is refused"
                          : "no heartbeat, and another broker gets no answer";
}

void Liveness::SetShutdownOffset(NodeId broker, MetadataOffset offset) {
  State& state = brokers_[broker];
  if (!state.shutdown_offset) state.shutdown_offset = offset;
}

bool Liveness::ShutdownSeenByAll(const metadata::Image& image, NodeId broker) {
  const metadata::BrokerImage* self = image.FindBroker(broker);
  if (self == nullptr || !self->in_controlled_shutdown) return false;
  SetShutdownOffset(broker, image.offset());
  const MetadataOffset wanted = *brokers_[broker].shutdown_offset;
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
