#include "controller/service/broker_watch.h"

#include <algorithm>
#include <set>

namespace tidemark::controller {
namespace {

using metadata::Image;

// Zero, which no broker is registered with, where it says none.
Uuid IncarnationOf(const rpc_v1::SubscribeRequest& request) {
  return Uuid::FromBytes(request.incarnation_id()).value_or(Uuid());
}

// Of what a broker says about others: a row each, at most.
std::set<NodeId> KnownOf(const google::protobuf::RepeatedField<int32_t>& ids,
                         const Image& image) {
  std::set<NodeId> known;
  const int most = static_cast<int>(image.brokers().size());
  for (int i = 0; i < std::min(ids.size(), most); ++i) {
    if (image.FindBroker(ids[i]) != nullptr) known.insert(ids[i]);
  }
  return known;
}

// A registration of it is proposed and not yet committed.
bool BeingRegistered(NodeId broker, const Image& committed,
                     const Image& pending) {
  const metadata::BrokerImage* now = committed.FindBroker(broker);
  const metadata::BrokerImage* next = pending.FindBroker(broker);
  return next != nullptr && (now == nullptr || now->epoch != next->epoch);
}

}  // namespace

bool BrokerWatch::Heard(const rpc_v1::HeartbeatRequest& request,
                        const Image& image, Instant now) {
  const NodeId id = request.broker_id();
  const metadata::BrokerImage* broker = image.FindBroker(id);
  if (broker == nullptr || broker->epoch != request.broker_epoch()) {
    return false;
  }
  liveness_.Contact(*broker, request.metadata_offset(), now);
  said_[id] = {broker->incarnation, ReadFeatures(request.features())};
  liveness_.Report(id, KnownOf(request.refusing_brokers(), image),
                   KnownOf(request.silent_brokers(), image));
  return request.refusing_brokers_size() + request.silent_brokers_size() > 0;
}

void BrokerWatch::Registering(const rpc_v1::RegisterRequest& request,
                              const Image& image) {
  // Those that are registered, and a few that have been.
  if (said_.size() > 2 * image.brokers().size() + 16) {
    std::erase_if(said_, [&](const auto& said) {
      return image.FindBroker(said.first) == nullptr;
    });
  }
  said_[request.broker_id()] = {
      Uuid::FromBytes(request.incarnation_id()).value_or(Uuid()),
      ReadFeatures(request.features())};
}

std::optional<FeatureRanges> BrokerWatch::SaidBy(
    const metadata::BrokerImage& broker) const {
  auto said = said_.find(broker.id);
  if (said != said_.end() && said->second.incarnation == broker.incarnation) {
    return said->second.features;
  }
  // From a registration or heartbeat at some controller.
  if (!broker.features.empty()) return broker.features;
  return std::nullopt;
}

void BrokerWatch::FeedOpened(const rpc_v1::SubscribeRequest& request,
                             Instant now) {
  liveness_.FeedOpened(request.broker_id(), IncarnationOf(request), now);
}

void BrokerWatch::FeedEnded(const rpc_v1::SubscribeRequest& request,
                            Instant now) {
  liveness_.FeedClosed(request.broker_id(), IncarnationOf(request), now);
}

BrokerFacts BrokerWatch::FactsOf(NodeId broker, const Image& committed,
                                 const Image& pending, Instant now) {
  return {
      .has_session = liveness_.HasSession(broker, now),
      .connected = liveness_.Connected(broker),
      .leaders_moved_everywhere = liveness_.ShutdownSeenByAll(pending, broker),
      .being_registered = BeingRegistered(broker, committed, pending)};
}

std::vector<BrokerWatch::Loss> BrokerWatch::Lost(const Image& committed,
                                                 const Image& pending,
                                                 Instant now) {
  std::vector<Loss> out;
  for (NodeId id : liveness_.Lost(pending, now)) {
    // Its epoch may still turn out otherwise.
    if (BeingRegistered(id, committed, pending)) continue;
    out.push_back({id, liveness_.WhyLost(id, now)});
  }
  return out;
}

}  // namespace tidemark::controller
