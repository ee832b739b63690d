#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/metadata/image.h"

namespace tidemark::controller {

// Which brokers the active controller believes alive. Soft state: it is not
// replicated, and starts anew with every active controller, which gives each
// registered broker one whole session.
//
// A broker is lost when it has not been heard of for a session, or when its
// metadata feed broke and is not back within the grace, or did not come within
// a session at all, whatever comes first: fencing is always safe, and a process
// that died closes its connections. Only a feed of the registered incarnation
// speaks for a broker (C-04): whoever else uses its number says nothing about
// it.
//
// Two who see the same need not wait so long. A broker is lost at once when its
// feed broke and another broker finds nobody listening at its address; and
// after `suspicion` without a word when another one gets no answer from it
// either. Neither of the two is enough alone: a network may be cut between some
// and not between others, and a broker may be busy.
//
// Pure: time is an argument. One owner thread.
class Liveness {
 public:
  struct Options {
    Duration session = std::chrono::seconds(2);
    Duration reconnect_grace = std::chrono::milliseconds(300);
    Duration suspicion = std::chrono::milliseconds(700);
  };
  explicit Liveness(Options options) : options_(options) {}

  void Start(const metadata::Image& image, Instant now);

  // A heartbeat or registration of it as the metadata have it now. `applied`:
  // the metadata the broker has.
  void Contact(const metadata::BrokerImage& broker, MetadataOffset applied,
               Instant now);
  // What that broker sees of others, in place of what it said before.
  void Report(NodeId from, std::set<NodeId> refusing, std::set<NodeId> silent);
  // A feed of the process; it may come before its registration. Feeds are
  // counted: the new one may come before the old one's end.
  void FeedOpened(NodeId broker, const Uuid& incarnation, Instant now);
  void FeedClosed(NodeId broker, const Uuid& incarnation, Instant now);

  // Heard of in time: nobody else may take its place (C-01). Also while its
  // feed is broken, for the grace is there to protect it.
  bool HasSession(NodeId broker, Instant now) const;
  // A feed of it is open.
  bool Connected(NodeId broker) const;
  // The unfenced brokers to fence at `now`. Call it regularly: a long gap
  // between calls was this process's own pause, and costs no one its session.
  std::vector<NodeId> Lost(const metadata::Image& image, Instant now);
  // Of one of those, for people.
  std::string WhyLost(NodeId broker, Instant now) const;

  // The offset of the batch that moved the leaders off a broker that is
  // shutting down. Set once in a life (KAFKA-14292).
  void SetShutdownOffset(NodeId broker, MetadataOffset offset);
  // Every other active broker has applied that batch. After a failover of the
  // controllers its offset is not known: then what the log held when this was
  // first asked, since a busy log never holds still (F22).
  bool ShutdownSeenByAll(const metadata::Image& image, NodeId broker);

 private:
  struct State {
    BrokerEpoch epoch = -1;
    Uuid incarnation;
    Instant last_contact{};
    // Without a feed: when one has to be there.
    std::optional<Instant> feed_due;
    bool feed_broke = false;
    MetadataOffset applied = 0;
    std::optional<MetadataOffset> shutdown_offset;
    std::set<NodeId> refusing, silent;  // others, as this one sees them
  };
  State NewState(const metadata::BrokerImage& broker, Instant now) const;
  // Of the process that is registered; null if it is another one's.
  State* StateOf(NodeId broker, const Uuid& incarnation);
  bool Alive(const State& state, Instant now) const;
  void ForgiveOwnPause(Instant now);
  // What the other brokers see of each: those that are heard of themselves.
  struct Seen {
    std::set<NodeId> refusing, silent;
  };
  Seen SeenByOthers(const metadata::Image& image, Instant now) const;
  bool Suspected(NodeId broker, const State& state, const Seen& seen,
                 Instant now) const;

  Options options_;
  std::map<NodeId, State> brokers_;
  std::map<std::pair<NodeId, Uuid>, int> feeds_;  // that are open
  Instant last_check_{};
};

}  // namespace tidemark::controller
