#include "controller/quorum/peers.h"

#include <glog/logging.h>

#include <utility>

namespace tidemark::quorum {
namespace {

// Anyone who knows the cluster may come by.
constexpr size_t kMaxStrangers = 8;

}  // namespace

Peers::Peers(Transport& transport, Self self,
             const std::vector<Voter>& configured, std::map<NodeId, Uuid> known,
             Save save)
    : transport_(transport),
      self_(std::move(self)),
      save_(std::move(save)),
      directories_(std::move(known)) {
  for (const Voter& voter : configured) configured_[voter.id] = voter;
  directories_[self_.id] = self_.directory;
  know_members_.insert(self_.id);
}

raft::v1::Hello Peers::HelloTo(const Key& key) const {
  raft::v1::Hello hello;
  hello.set_cluster_id(self_.cluster_id);
  hello.set_from(self_.id);
  hello.set_to(key.id);
  hello.set_directory_id(self_.directory.ToBytes());
  hello.set_host(self_.host);
  hello.set_port(self_.port);
  if (!key.directory.IsZero())
    hello.set_to_directory_id(key.directory.ToBytes());
  hello.set_knows_members(true);
  WriteFeatures(self_.features, hello.mutable_features());
  return hello;
}

void Peers::Open(std::map<Key, Peer>& into, const Key& key, Voter address) {
  auto known = into.find(key);
  if (known != into.end() && known->second.address.host == address.host &&
      known->second.address.port == address.port)
    return;
  Peer peer{address, transport_.Open(address, HelloTo(key))};
  peer.link->Connect();
  into.insert_or_assign(key, std::move(peer));
}

void Peers::Follow(const raft::MembersPtr& members,
                   const std::set<NodeId>& leaving) {
  members_ = members;
  if (!members) return;
  // Streams to voters whose disks have become known go on: an end would be
  // taken for theirs.
  for (const auto& [id, member] : members->all()) {
    auto unbound = peers_.extract(Key{id, {}});
    if (unbound.empty()) continue;
    unbound.key().directory = member.directory;
    unbound.mapped().link->SetHello(HelloTo(unbound.key()));
    peers_.insert(std::move(unbound));
  }
  std::erase_if(peers_, [&](const auto& peer) {
    const raft::Member* member = members->Find(peer.first.id);
    if (member != nullptr) return member->directory != peer.first.directory;
    return !leaving.contains(peer.first.id);
  });
  for (const auto& [id, member] : members->all()) {
    if (id == self_.id) continue;
    const Key key{id, member.directory};
    Voter address{id, member.host, member.port};
    if (auto seen = seen_at_.find(key); seen != seen_at_.end())
      address = seen->second;
    if (address.port == 0) {
      auto configured = configured_.find(id);
      if (configured == configured_.end()) continue;
      address = configured->second;
    }
    Open(peers_, key, std::move(address));
    strangers_.erase(key);
  }
}

void Peers::Connect() {
  for (auto& [key, peer] : peers_) peer.link->Connect();
}

void Peers::Tick() {
  for (auto& [key, peer] : peers_) peer.link->Tick();
  for (auto& [key, peer] : strangers_) peer.link->Tick();
}

Peers::Peer* Peers::FindPeer(NodeId id, const Uuid& directory) {
  for (auto* from : {&peers_, &strangers_}) {
    for (auto it = from->lower_bound({id, {}});
         it != from->end() && it->first.id == id; ++it) {
      if (directory.IsZero() || it->first.directory.IsZero() ||
          it->first.directory == directory)
        return &it->second;
    }
  }
  return nullptr;
}

void Peers::Send(const raft::Message& message) {
  if (Peer* peer = FindPeer(message.to, message.to_directory))
    peer->link->Send(message);
}

void Peers::Heard(NodeId from, const Uuid& directory) {
  if (Peer* peer = FindPeer(from, directory)) peer->link->Heard();
}

// It can be reached again: do not wait for the end of a pause.
void Peers::StreamBegan(NodeId from, const Uuid& directory) {
  if (Peer* peer = FindPeer(from, directory)) peer->link->Connect();
}

// Not taken before it is durable: a vote of a voter that could be forgotten
// again would be worth nothing.
void Peers::Meet(const raft::v1::Hello& hello,
                 std::function<void(Status)> done) {
  const NodeId from = hello.from();
  const Uuid directory = Uuid::FromBytes(hello.directory_id()).value_or(Uuid());
  const raft::Member* member = members_ ? members_->Find(from) : nullptr;
  const bool agreed = member != nullptr && !member->directory.IsZero();
  // Once the log says whose they are, a list of ids says nothing: a leader
  // whose disk was replaced must reach a node that does not know it yet.
  const bool listed =
      configured_.contains(from) && !(members_ && members_->IsAgreed());
  if (agreed ? member->directory == directory : listed) {
    if (!agreed) {
      if (auto known = MeetConfigured(from, directory); !known)
        return done(known);
      if (hello.knows_members()) know_members_.insert(from);
    }
  } else if (hello.to_directory_id().empty()) {
    // Whoever has this node's disk from a log it has not seen itself may be a
    // member by now; the core looks at what it says. Nobody else is.
    return done(agreed ? Refuse(from, directory, member->directory)
                       : Fail(ErrorCode::kInconsistentVoterSet,
                              "the sender is not one of the other voters"));
  }
  Welcome(hello, directory);
  NoteFeatures(hello, directory);
  if (!unsaved_directories_.contains(from)) return done({});
  save_(from, directory, [this, from, done = std::move(done)] {
    unsaved_directories_.erase(from);
    done({});
  });
}

Status Peers::MeetConfigured(NodeId from, const Uuid& directory) {
  auto [known, first] = directories_.emplace(from, directory);
  if (first) unsaved_directories_.insert(from);
  if (known->second == directory) return {};
  return Refuse(from, directory, known->second);
}

tl::unexpected<Error> Peers::Refuse(NodeId from, const Uuid& directory,
                                    const Uuid& known) {
  const std::string what =
      "controller " + std::to_string(from) + " comes from directory " +
      ToString(directory) + " but is known from " + ToString(known) +
      ": a wiped disk must not vote again. Restore its directory, or remove "
      "the controller and add it again: tidemark quorum remove, tidemark "
      "quorum "
      "add";
  if (std::exchange(foreign_[from], directory) != directory)
    LOG(ERROR) << "refused: " << what;
  return Fail(ErrorCode::kInconsistentVoterSet, what);
}

// Notes where it is; a stranger gets a way back for the answers to what it
// asks.
void Peers::Welcome(const raft::v1::Hello& hello, const Uuid& directory) {
  const NodeId from = hello.from();
  if (hello.host().empty() || hello.host().size() > raft::kMaxHostBytes ||
      hello.port() <= 0 || hello.port() > 65535)
    return;
  Voter address{from, hello.host(), static_cast<uint16_t>(hello.port())};
  const Key key{from, directory};
  const raft::Member* member = members_ ? members_->Find(from) : nullptr;
  if (member != nullptr && member->Is(directory)) {
    // While directories are not agreed on, so are addresses.
    if (member->directory.IsZero()) return;
    seen_at_.insert_or_assign(key, address);
    return Open(peers_, key, std::move(address));
  }
  if (strangers_.contains(key)) return;
  if (strangers_.size() >= kMaxStrangers) strangers_.erase(strangers_.begin());
  Open(strangers_, key, std::move(address));
}

void Peers::NoteFeatures(const raft::v1::Hello& hello, const Uuid& directory) {
  const Key key{hello.from(), directory};
  features_[key] = ReadFeatures(hello.features());
  if (features_.size() <= raft::kMaxMembers + kMaxStrangers) return;
  std::erase_if(features_, [&](const auto& said) {
    const auto& [id, from] = said.first;
    const raft::Member* member = members_ ? members_->Find(id) : nullptr;
    const bool known = members_ ? member != nullptr && member->Is(from)
                                : configured_.contains(id);
    return !known && said.first != key;
  });
}

std::optional<FeatureRanges> Peers::FeaturesOf(
    const raft::Member& member) const {
  if (member.id == self_.id && member.Is(self_.directory)) {
    return self_.features;
  }
  for (auto it = features_.lower_bound({member.id, {}});
       it != features_.end() && it->first.id == member.id; ++it) {
    if (member.Is(it->first.directory)) return it->second;
  }
  return std::nullopt;
}

std::map<NodeId, Voter> Peers::Moved(const raft::Members& members) const {
  std::map<NodeId, Voter> moved;
  for (const auto& [id, member] : members.all()) {
    Voter now{id, self_.host, self_.port};
    if (id != self_.id) {
      auto seen = seen_at_.find({id, member.directory});
      if (seen == seen_at_.end()) continue;
      now = seen->second;
    }
    if (now.host != member.host || now.port != member.port) moved[id] = now;
  }
  return moved;
}

std::optional<raft::Members> Peers::Agreed() const {
  raft::Members members;
  for (const auto& [id, voter] : configured_) {
    auto directory = directories_.find(id);
    if (directory == directories_.end() || !know_members_.contains(id) ||
        unsaved_directories_.contains(id))
      return std::nullopt;
    members.Put({id, directory->second, true, voter.host, voter.port});
  }
  return members;
}

uint64_t Peers::Dropped(NodeId id) const {
  uint64_t dropped = 0;
  for (auto it = peers_.lower_bound({id, {}});
       it != peers_.end() && it->first.id == id; ++it)
    dropped += it->second.link->dropped();
  return dropped;
}

std::optional<Voter> Peers::Find(NodeId id) const {
  if (id == self_.id) return Voter{self_.id, self_.host, self_.port};
  for (const auto* from : {&peers_, &strangers_}) {
    auto it = from->lower_bound({id, {}});
    if (it != from->end() && it->first.id == id) return it->second.address;
  }
  auto configured = configured_.find(id);
  if (configured == configured_.end()) return std::nullopt;
  return configured->second;
}

}  // namespace tidemark::quorum
