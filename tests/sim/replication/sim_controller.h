#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/metadata/image.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/partition_decisions.h"
#include "tests/sim/replication/sim_world.h"

namespace tidemark::replication {

// The controllers as one that never fails: the production deciders over an
// image, with liveness by heartbeat. What it commits is handed to `push`.
class SimController {
 public:
  using Push = std::function<void(metadata::ImagePtr)>;

  SimController(SimWorld& world, Push push);

  const metadata::ImagePtr& image() const { return image_; }
  const metadata::PartitionImage& Row() const;
  const Uuid& topic_id() const { return topic_id_; }

  // The epoch of the new registration.
  BrokerEpoch Register(NodeId broker, uint64_t incarnation);
  void CreateTopic(const std::string& name, std::vector<NodeId> replicas);
  void Heartbeat(NodeId broker, BrokerEpoch epoch, MetadataOffset applied);
  controller::v1::AlterPartitionResponse AlterPartition(
      const controller::v1::AlterPartitionRequest& request);

 private:
  void Commit(const controller::Records& records);
  void CheckSessions();

  SimWorld& world_;
  const Push push_;
  controller::Settings settings_;
  metadata::ImagePtr image_ = std::make_shared<const metadata::Image>();
  std::map<NodeId, Instant> heard_;
  Uuid topic_id_;
};

}  // namespace tidemark::replication
