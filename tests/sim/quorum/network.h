#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "controller/quorum/inbox.h"
#include "controller/quorum/transport.h"
#include "tests/sim/quorum/loop.h"

namespace tidemark::sim {

// Where a process can be reached: node `id` listens on port `id`.
struct Endpoint {
  Loop* loop = nullptr;
  quorum::Admission admission;
  std::weak_ptr<quorum::Inbox> inbox;
};

// The network between the nodes: streams that begin with a Hello, as gRPC's,
// whose messages however get lost, come twice, or overtake each other; and cuts
// that nobody is told of.
class Network {
 public:
  explicit Network(Timeline& timeline) : timeline_(timeline) {}

  // A process begins, under its node's id; ends.
  void Listen(Endpoint endpoint);
  // The others' streams break, mostly.
  void Die(NodeId id);
  // All streams between the two, in this direction; both go on living.
  void Reset(NodeId from, NodeId to);
  std::unique_ptr<quorum::Transport> MakeTransport(NodeId from);

  bool IsCut(NodeId from, NodeId to) const { return cuts.contains({from, to}); }

  std::set<std::pair<NodeId, NodeId>> cuts;
  uint32_t drop_percent = 0;
  uint32_t duplicate_percent = 0;
  uint64_t max_delay_us = 2'000;

 private:
  class Link;
  class LinkTransport;
  using Sender = std::pair<NodeId, Uuid>;
  struct Place {
    Endpoint endpoint;
    uint64_t life = 0;                  // 0: nobody listens
    std::map<Sender, uint64_t> newest;  // stream of a sender
  };

  uint64_t Delay() { return timeline_.random.Between(50, max_delay_us); }
  // The place, if that life still is there.
  Place* Find(NodeId id, uint64_t life);
  void Meet(const std::shared_ptr<Link>& link, uint64_t stream);
  void Met(const std::weak_ptr<Link>& link, uint64_t stream, uint64_t life,
           const raft::v1::Hello& hello, const Status& status);
  void EndAt(NodeId to, uint64_t life, const Sender& from, uint64_t stream);

  Timeline& timeline_;
  uint64_t next_life_ = 1, next_stream_ = 1, next_link_ = 1;
  std::map<NodeId, Place> places_;
  std::map<uint64_t, Link*> links_;  // in the order they were made
};

}  // namespace tidemark::sim
