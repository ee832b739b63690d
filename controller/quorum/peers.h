#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/feature_ranges.h"
#include "controller/quorum/quorum.h"
#include "controller/quorum/transport.h"
#include "controller/raft/members.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// Whom this node talks to: the members of the quorum, and whoever talks to it
// without being one as far as it knows (a leader of a configuration that has
// not come here yet; one that was removed and does not know).
//
// A peer is (id, directory). What comes from where is believed because of the
// directory in the log (R-18, F21). Before one is there, the directories of the
// voters named in the configuration are remembered, durably, as they are first
// seen; one that comes with another is refused.
//
// Owner: the executor's thread.
class Peers {
 public:
  struct Self {
    NodeId id = kNoNode;
    Uuid directory;
    std::string cluster_id;
    std::string host;  // where others reach this node
    uint16_t port = 0;
    FeatureRanges features;  // that this node supports
  };
  // Makes durable that `id` is `directory`, then calls `done`.
  using Save = std::function<void(NodeId id, const Uuid& directory,
                                  std::function<void()> done)>;

  // `known`: what Save has saved.
  Peers(Transport& transport, Self self, const std::vector<Voter>& configured,
        std::map<NodeId, Uuid> known, Save save);

  // `members` are in force; those in `leaving` are still to be told things.
  void Follow(const raft::MembersPtr& members, const std::set<NodeId>& leaving);
  void Connect();
  void Tick();
  // Dropped when there is no way to the receiver.
  void Send(const raft::Message& message);

  // As in Inbox.
  void Meet(const raft::v1::Hello& hello, std::function<void(Status)> done);
  void StreamBegan(NodeId from, const Uuid& directory);
  void Heard(NodeId from, const Uuid& directory);

  // Where members were last seen that say another address than `members`.
  std::map<NodeId, Voter> Moved(const raft::Members& members) const;
  // The configured voters with their directories, once all have been met and
  // understand such a configuration.
  std::optional<raft::Members> Agreed() const;
  std::optional<Voter> Find(NodeId id) const;
  // As Quorum::FeaturesOf. A directory that is zero fits any.
  std::optional<FeatureRanges> FeaturesOf(const raft::Member& member) const;
  // Messages to it that its queue had no room for, ever.
  uint64_t Dropped(NodeId id) const;
  const Self& self() const { return self_; }

 private:
  struct Key {
    NodeId id;
    Uuid directory;  // zero: of a configured voter, whatever it is
    auto operator<=>(const Key&) const = default;
  };
  struct Peer {
    Voter address;
    std::shared_ptr<PeerLink> link;
  };
  bool IsMember(NodeId id) const;
  raft::v1::Hello HelloTo(const Key& key) const;
  void Open(std::map<Key, Peer>& into, const Key& key, Voter address);
  Peer* FindPeer(NodeId id, const Uuid& directory);
  Status MeetConfigured(NodeId from, const Uuid& directory);
  tl::unexpected<Error> Refuse(NodeId from, const Uuid& directory,
                               const Uuid& known);
  void Welcome(const raft::v1::Hello& hello, const Uuid& directory);
  void NoteFeatures(const raft::v1::Hello& hello, const Uuid& directory);

  Transport& transport_;
  const Self self_;
  std::map<NodeId, Voter> configured_;
  const Save save_;
  raft::MembersPtr members_;
  std::map<Key, Peer> peers_;              // of members
  std::map<Key, Peer> strangers_;          // who came by; a few
  std::map<Key, Voter> seen_at_;           // members, by their own word
  std::map<NodeId, Uuid> directories_;     // of the configured voters
  std::set<NodeId> unsaved_directories_;   // not yet durable
  std::set<NodeId> know_members_;          // of the configured voters
  std::map<NodeId, Uuid> foreign_;         // said so in the log
  std::map<Key, FeatureRanges> features_;  // of who has come by
};

}  // namespace tidemark::quorum
