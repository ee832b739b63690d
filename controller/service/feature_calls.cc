// What the controller knows and says of feature levels: controller.h.
#include <algorithm>
#include <utility>

#include "controller/service/controller.h"

namespace tidemark::controller {

int16_t HighestLevel(const record_v1::RecordBatch& batch) {
  int16_t level = metadata::kBaseLevel;
  for (const record_v1::Record& record : batch.records()) {
    level = std::max(level, metadata::RequiredLevel(record));
  }
  return level;
}

FeatureFacts Controller::Facts() const {
  FeatureFacts facts;
  const quorum::QuorumStatus status = quorum_->status();
  facts.voters_in_log = !status.peers.empty();
  for (const quorum::QuorumStatus::Peer& peer : status.peers) {
    facts.voters_in_log &= !peer.directory.IsZero();
    const raft::Member member{.id = peer.voter.id, .directory = peer.directory};
    facts.nodes.push_back({member.id, true, quorum_->FeaturesOf(member)});
  }
  for (const auto& [id, broker] : pending_->brokers()) {
    facts.nodes.push_back({id, false, SaidBy(*broker)});
  }
  return facts;
}

std::optional<FeatureRanges> Controller::SaidBy(
    const BrokerImage& broker) const {
  auto said = said_.find(broker.id);
  if (said != said_.end() && said->second.incarnation == broker.incarnation) {
    return said->second.features;
  }
  // As the log has it, from a registration or heartbeat at some controller.
  if (!broker.features.empty()) return broker.features;
  return std::nullopt;
}

// A cluster is new until something was made in it. One that has been lowered to
// the base level has records above it, or a snapshot in their place.
void Controller::BringFeatures() {
  if (draining_ || !in_flight_.empty()) return;
  const metadata::FeaturesImage& now = committed_->features();
  const bool is_new =
      options_.bootstrap_level > now.metadata_version() &&
      committed_->topics().size() == 0 && committed_->next_producer_id() == 0 &&
      LevelOnDisk() == metadata::kBaseLevel && quorum_->status().snapshot == 0;
  const bool kraft = now.metadata_version() >= metadata::kFeaturesLevel &&
                     now.LevelOf(metadata::kKraftVersion) == 0;
  if (!is_new && !kraft) return;
  Records records = DecideOwnFeatures(*pending_, Facts(),
                                      is_new ? options_.bootstrap_level : 0);
  if (!records.empty()) {
    Commit(std::move(records), [](Result<MetadataOffset>) {});
  }
}

bool Controller::WantsSnapshot() {
  return level_since_snapshot_ > committed_->features().metadata_version();
}

int16_t Controller::LevelOnDisk() const {
  const int16_t level = std::max(level_since_snapshot_,
                                 committed_->features().metadata_version());
  if (quorum_->status().snapshot >= snapshot_taken_at_) return level;
  return std::max(level, level_under_snapshot_);
}

Status Controller::CheckAdded(const admin_v1::ChangeQuorumRequest& request,
                              const raft::Member& member) const {
  const auto status = quorum_->status();
  for (const quorum::QuorumStatus::Peer& peer : status.peers) {
    // It follows already, so it understands what it is sent.
    if (peer.voter.id == member.id && peer.directory == member.directory) {
      return {};
    }
  }
  const std::string who = "controller " + std::to_string(member.id);
  std::optional<FeatureRanges> said = quorum_->FeaturesOf(member);
  if (!request.features().empty()) said = ReadFeatures(request.features());
  if (said) return CheckSupports(*pending_, who, *said);
  if (CheckSupports(*pending_, who, {})) return {};  // whatever it supports
  return Fail(ErrorCode::kUnsupportedVersion,
              who +
                  " has not said what it supports: start it with "
                  "controller.quorum.bootstrap.servers, or add it with "
                  "tidemark quorum add, which asks it");
}

}  // namespace tidemark::controller
