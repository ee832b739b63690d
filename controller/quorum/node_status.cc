#include "controller/quorum/node.h"

namespace tidemark::quorum {

QuorumStatus Node::status() const {
  QuorumStatus status;
  status.self = options_.self;
  status.leader = core_.leader();
  status.term = core_.term();
  status.last = last();
  status.committed = static_cast<MetadataOffset>(core_.log().committed());
  status.applied = static_cast<MetadataOffset>(applied_.index);
  status.snapshot = static_cast<MetadataOffset>(snapshots_.index());
  status.directory = peers_.self().directory;
  if (!core_.members()) return status;
  for (const auto& [id, member] : core_.members()->all())
    status.peers.push_back(Describe(member));
  status.adding = changes_.Adding();
  status.times.commit = commit_times_;
  status.times.write = disk_.write_times();
  status.times.snapshot = snapshots_.times();
  status.snapshot_bytes = snapshots_.bytes();
  status.disk_full = disk_.full();
  status.elections_lost = leadership_.elections_lost();
  return status;
}

QuorumStatus::Peer Node::Describe(const raft::Member& member) const {
  const NodeId id = member.id;
  QuorumStatus::Peer peer{.voter = {id, member.host, member.port},
                          .directory = member.directory,
                          .votes = member.votes};
  if (auto seen = FindVoter(id); seen && member.port == 0) peer.voter = *seen;
  if (id == options_.self) {
    peer.match = static_cast<MetadataOffset>(core_.log().durable());
    peer.recently_active = true;
  } else if (const auto* leads = std::get_if<raft::Leader>(&core_.role())) {
    const raft::Progress& progress = leads->peers.at(id);
    peer.match = static_cast<MetadataOffset>(progress.match());
    peer.recently_active = progress.silent_ticks < options_.election_ticks_max;
  } else {
    peer.recently_active = id == core_.leader();
  }
  peer.dropped_messages = peers_.Dropped(id);
  return peer;
}

}  // namespace tidemark::quorum
