#pragma once

#include <functional>
#include <memory>

#include "broker/metadata/image_holder.h"
#include "common/base/executor.h"
#include "common/metadata/image.h"

namespace tidemark {
class ControllerSession;
namespace coordinator {
class GroupCoordinator;
class TransactionCoordinator;
}  // namespace coordinator
namespace replication {
class ReplicaManager;
}
}  // namespace tidemark

namespace tidemark::server {

// Brings each image into force on this broker: clients' metadata, replicas,
// groups; and tells the controllers how far it is. On one executor.
//
// The first image is held back until it contains this process's own
// registration (C-08, C-23): before that it may be older than what this broker
// already was part of, and following it would mean following leaders of the
// past. It is then published as one change from nothing.
class Publisher {
 public:
  struct Parts {
    NodeId self = kNoNode;
    Uuid incarnation;
    ImageHolder* metadata = nullptr;
    replication::ReplicaManager* replicas = nullptr;
    coordinator::GroupCoordinator* groups = nullptr;
    coordinator::TransactionCoordinator* transactions = nullptr;  // or none
    ControllerSession* session = nullptr;
    Executor* executor = nullptr;
    // Once, before the first image comes into force.
    std::function<void(const metadata::Image&)> first_image;
    // Once, when the first image has been applied (B-31).
    std::function<void(const metadata::ImagePtr&)> remove_strays;
  };

  explicit Publisher(Parts parts) : parts_(std::move(parts)) {}

  void Publish(metadata::ImagePtr image,
               std::shared_ptr<const metadata::Delta> delta);

 private:
  bool HasOwnRegistration(const metadata::Image& image) const;
  void OnApplied(const metadata::ImagePtr& image, bool first);

  const Parts parts_;
  bool started_ = false;
};

}  // namespace tidemark::server
