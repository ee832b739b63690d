#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/metadata/image.h"
#include "controller/metadata/liveness.h"
#include "controller/metadata/view.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// Whom the active controller hears of: heartbeats, feeds, and what brokers say
// about each other, as facts for its decisions (liveness.h has the rules).
//
// Soft state of the controller; one thread, its executor; time is an argument.
class BrokerWatch {
 public:
  explicit BrokerWatch(Liveness::Options options) : liveness_(options) {}

  // This controller becomes active.
  void Start(const metadata::Image& image, Instant now) {
    liveness_.Start(image, now);
    said_.clear();
  }

  // It may register: what it says of itself counts from now on.
  void Registering(const rpc_v1::RegisterRequest& request,
                   const metadata::Image& image);

  // `broker`: as its registration is committed.
  void Registered(const metadata::BrokerImage& broker, Instant now) {
    liveness_.Contact(broker, 0, now);
  }
  // True when it says of others that they cannot be reached: somebody may be
  // lost by that. A heartbeat of an older registration says nothing.
  bool Heard(const rpc_v1::HeartbeatRequest& request,
             const metadata::Image& image, Instant now);
  void FeedOpened(const rpc_v1::SubscribeRequest& request, Instant now);
  void FeedEnded(const rpc_v1::SubscribeRequest& request, Instant now);
  void ShutdownBegan(NodeId broker, MetadataOffset offset) {
    liveness_.SetShutdownOffset(broker, offset);
  }

  // What it supports, as it has told this controller, or the log.
  std::optional<FeatureRanges> SaidBy(
      const metadata::BrokerImage& broker) const;

  BrokerFacts FactsOf(NodeId broker, const metadata::Image& committed,
                      const metadata::Image& pending, Instant now);

  // Who is to be fenced, and why, for people. Call it regularly.
  struct Loss {
    NodeId broker;
    std::string why;
  };
  std::vector<Loss> Lost(const metadata::Image& committed,
                         const metadata::Image& pending, Instant now);

 private:
  struct Said {
    Uuid incarnation;
    FeatureRanges features;
  };
  Liveness liveness_;
  std::map<NodeId, Said> said_;
};

}  // namespace tidemark::controller
