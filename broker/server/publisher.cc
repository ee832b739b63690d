#include "broker/server/publisher.h"

#include <algorithm>

#include "broker/coordinator/group_coordinator.h"
#include "broker/coordinator/transaction_coordinator.h"
#include "broker/metadata/controller_session.h"
#include "broker/replication/replica_manager.h"
#include "common/metadata/snapshot.h"

namespace tidemark::server {

void Publisher::Publish(metadata::ImagePtr image,
                        std::shared_ptr<const metadata::Delta> delta) {
  const bool first = !started_;
  if (first) {
    if (!HasOwnRegistration(*image)) return;
    started_ = true;
    delta = std::make_shared<const metadata::Delta>(
        metadata::Difference(metadata::Image(), *image));
  }
  if (first) parts_.first_image(*image);
  parts_.metadata->Set(image);
  std::set<std::string> deleted;
  for (const auto& [id, topic] : delta->deleted_topics) {
    deleted.insert(topic->name);
  }
  parts_.groups->OnTopicsDeleted(deleted);
  if (parts_.transactions != nullptr) {
    parts_.transactions->OnTopicsDeleted(deleted);
  }
  parts_.replicas->ApplyImage(
      image, std::move(delta), *parts_.executor,
      [this, image, first] { OnApplied(image, first); });
}

// By incarnation, not by epoch: the feed may be faster than the answer to the
// registration, and then nothing else may come for a long time.
bool Publisher::HasOwnRegistration(const metadata::Image& image) const {
  const metadata::BrokerImage* broker = image.FindBroker(parts_.self);
  return broker != nullptr && broker->incarnation == parts_.incarnation;
}

void Publisher::OnApplied(const metadata::ImagePtr& image, bool first) {
  if (first) parts_.remove_strays(image);
  parts_.session->SetApplied(image->offset());
  parts_.session->SetReadyToUnfence();
  // A broker that shuts down waits until everybody has seen its leaders go.
  const bool somebody_leaves =
      std::ranges::any_of(image->brokers(), [](const auto& entry) {
        return entry.second->in_controlled_shutdown && !entry.second->fenced;
      });
  if (somebody_leaves) parts_.session->Hurry();
}

}  // namespace tidemark::server
