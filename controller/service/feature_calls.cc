// What the controller knows and says of feature levels: controller.h.
#include <algorithm>
#include <utility>

#include "controller/metadata/scram_decisions.h"
#include "controller/service/controller.h"

namespace tidemark::controller {

FeatureFacts Controller::Features() const {
  FeatureFacts facts;
  const quorum::QuorumStatus status = quorum_->status();
  facts.voters_in_log = !status.peers.empty();
  facts.adding = status.adding;
  for (const quorum::QuorumStatus::Peer& peer : status.peers) {
    facts.voters_in_log &= !peer.directory.IsZero();
    const raft::Member member{.id = peer.voter.id, .directory = peer.directory};
    facts.nodes.push_back({member.id, true, quorum_->FeaturesOf(member)});
  }
  for (const auto& [id, broker] : ledger_.pending()->brokers()) {
    facts.nodes.push_back({id, false, watch_.SaidBy(*broker)});
  }
  return facts;
}

// A cluster is new until something was made in it. One that has been lowered to
// the base level has records above it, or a snapshot in their place.
void Controller::BringFeatures() {
  if (ledger_.draining() || !ledger_.idle()) return;
  const metadata::FeaturesImage& now = committed()->features();
  const auto& levels = options_.bootstrap_levels;
  const auto level = levels.find(metadata::kMetadataVersion);
  const bool is_new =
      level != levels.end() && level->second > now.metadata_version() &&
      committed()->topics().size() == 0 &&
      committed()->next_producer_id() == 0 &&
      LevelOnDisk() == metadata::kBaseLevel && quorum_->status().snapshot == 0;
  const bool kraft = now.metadata_version() >= metadata::kFeaturesLevel &&
                     now.LevelOf(metadata::kKraftVersion) == 0;
  if (!is_new && !kraft) return;
  const FeatureFacts features = Features();
  View view = ViewFor();
  view.features = &features;
  Records records =
      DecideOwnFeatures(view, is_new ? levels : BootstrapLevels());
  if (records.empty()) return;
  if (is_new && level->second >= metadata::kSecurityLevel) {
    Records credentials =
        DecideFirstCredentials(options_.bootstrap_credentials, random_);
    std::move(credentials.begin(), credentials.end(),
              std::back_inserter(records));
  }
  Commit(std::move(records), {}, [](Result<MetadataOffset>) {});
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
  if (said) return CheckSupports(*ledger_.pending(), who, *said);
  if (CheckSupports(*ledger_.pending(), who, {}))
    return {};  // whatever it supports
  return Fail(ErrorCode::kUnsupportedVersion,
              who +
                  " has not said what it supports: start it with "
                  "controller.quorum.bootstrap.servers, or add it with "
                  "tidemark quorum add, which asks it");
}

}  // namespace tidemark::controller
