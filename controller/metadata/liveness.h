#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/metadata/image.h"

namespace tidemark::controller {

// Which brokers the active controller believes alive. Soft state: it is not
// replicated, and starts anew with every active controller, which gives each
// registered broker one whole session.
//
// A broker is lost when it has not been heard of for a session, or when its
// metadata feed broke and is not back within the grace, whatever comes first:
// fencing is always safe, and a process that died closes its connections.
//
// Pure: time is an argument. One owner thread.
class Liveness {
 public:
  struct Options {
    Duration session = std::chrono::seconds(2);
    Duration reconnect_grace = std::chrono::milliseconds(300);
  };
  explicit Liveness(Options options) : options_(options) {}

  void Start(const metadata::Image& image, Instant now);

  // A heartbeat or registration. `applied`: the metadata the broker has.
  void Contact(NodeId broker, BrokerEpoch epoch, MetadataOffset applied,
               Instant now);
  // Feeds are counted: the new one may come before the old one's end.
  void FeedOpened(NodeId broker, Instant now);
  void FeedClosed(NodeId broker, Instant now);
  void Forget(NodeId broker) { brokers_.erase(broker); }

  // Heard of in time, with no feed known to be broken.
  bool HasSession(NodeId broker, Instant now) const;
  // No feed of it is known to be broken.
  bool Connected(NodeId broker) const;
  // The unfenced brokers to fence at `now`. Call it regularly: a long gap
  // between calls was this process's own pause, and costs no one its session.
  std::vector<NodeId> Lost(const metadata::Image& image, Instant now);

  // The offset of the batch that moved the leaders off a broker that is
  // shutting down. Set once in a life (KAFKA-14292).
  void SetShutdownOffset(NodeId broker, MetadataOffset offset);
  // Every other active broker has applied that batch.
  bool ShutdownSeenByAll(const metadata::Image& image, NodeId broker) const;

 private:
  struct State {
    BrokerEpoch epoch = -1;
    Instant last_contact{};
    int feeds = 0;
    std::optional<Instant> feed_broke;
    MetadataOffset applied = 0;
    std::optional<MetadataOffset> shutdown_offset;
  };
  bool Alive(const State& state, Instant now) const;

  Options options_;
  std::map<NodeId, State> brokers_;
  Instant last_check_{};
};

}  // namespace tidemark::controller
