#pragma once

#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/metadata/acls_image.h"
#include "common/metadata/brokers_image.h"
#include "common/metadata/configs_image.h"
#include "common/metadata/features_image.h"
#include "common/metadata/producer_ids_image.h"
#include "common/metadata/requests_image.h"
#include "common/metadata/scram_image.h"
#include "common/metadata/topics_image.h"

namespace tidemark::metadata {

// The cluster's metadata after one offset of the controllers' log: one value
// for each aspect of it, in a pair of files with its Apply, ToRecords and
// Difference. Immutable: a new image shares what did not change. Any thread may
// hold and read it.
class Image {
 public:
  using Configs = metadata::Configs;

  MetadataOffset offset() const { return offset_; }

  const TopicsImage& topics() const { return topics_; }
  const BrokersImage& brokers() const { return brokers_; }
  const ConfigsImage& configs() const { return configs_; }
  const ProducerIdsImage& producer_ids() const { return producer_ids_; }
  const RequestsImage& requests() const { return requests_; }
  const FeaturesImage& features() const { return features_; }
  const AclsImage& acls() const { return acls_; }
  const ScramImage& scram() const { return scram_; }

  // nullptr when there is none.
  const TopicImage* FindTopic(const std::string& name) const {
    return topics_.Find(name);
  }
  const TopicImage* FindTopic(const Uuid& id) const { return topics_.Find(id); }
  const PartitionImage* FindPartition(const std::string& topic,
                                      PartitionIndex partition) const;
  const BrokerImage* FindBroker(NodeId id) const { return brokers_.Find(id); }
  const Configs* FindConfigs(const Resource& resource) const {
    return configs_.Find(resource);
  }
  ProducerId next_producer_id() const { return producer_ids_.next(); }

 private:
  friend class ImageBuilder;
  MetadataOffset offset_ = 0;
  TopicsImage topics_;
  BrokersImage brokers_;
  ConfigsImage configs_;
  ProducerIdsImage producer_ids_;
  RequestsImage requests_;
  FeaturesImage features_;
  AclsImage acls_;
  ScramImage scram_;
};

using ImagePtr = std::shared_ptr<const Image>;

// What changed between two images, for publishers and metrics.
struct Delta : TopicsDelta, BrokersDelta, ConfigsDelta {
  bool from_snapshot = false;  // compared whole images, not records
};

}  // namespace tidemark::metadata
