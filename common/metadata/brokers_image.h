#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/feature_ranges.h"
#include "common/base/ids.h"
#include "common/base/persistent_map.h"
#include "common/base/uuid.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

struct EndpointImage {
  std::string name;  // listener
  std::string host;
  uint16_t port = 0;
  std::string protocol;

  bool operator==(const EndpointImage&) const = default;
};

struct OfflineDirectoryImage {
  Uuid id;
  std::string path, reason;  // for people

  bool operator==(const OfflineDirectoryImage&) const = default;
};

struct BrokerImage {
  NodeId id = kNoNode;
  BrokerEpoch epoch = -1;
  Uuid incarnation;
  std::vector<EndpointImage> endpoints;
  std::string rack;
  std::vector<Uuid> directories;
  std::vector<OfflineDirectoryImage> offline;  // of the directories
  bool fenced = true;
  bool in_controlled_shutdown = false;
  FeatureRanges features;  // that it supports; empty: not said in the log

  bool operator==(const BrokerImage&) const = default;
  const EndpointImage* FindEndpoint(const std::string& listener) const;
  bool HasDirectory(const Uuid& id) const;
  bool IsOffline(const Uuid& id) const;
};
using BrokerPtr = std::shared_ptr<const BrokerImage>;

struct BrokersDelta {
  std::set<NodeId> changed_brokers;  // added, changed or removed
};

// The registered brokers.
class BrokersImage {
 public:
  // By id, in order: entries {id, BrokerPtr}.
  auto begin() const { return brokers_.begin(); }
  auto end() const { return brokers_.end(); }
  size_t size() const { return brokers_.size(); }
  bool empty() const { return brokers_.empty(); }
  // nullptr when there is none.
  const BrokerImage* Find(NodeId id) const;

  // `offset`: of the batch this record is part of. A broker's epoch is the
  // offset of its registration (C-02); a registration that carries an epoch
  // (in a snapshot) is taken as it is.
  Status Apply(const v1::RegisterBroker& record, MetadataOffset offset,
               BrokersDelta* delta);
  Status Apply(const v1::UnregisterBroker& record, BrokersDelta* delta);
  Status Apply(const v1::ChangeBroker& record, BrokersDelta* delta);
  void ToRecords(const RecordSink& sink) const;
  friend void Difference(const BrokersImage& from, const BrokersImage& to,
                         BrokersDelta* delta);

 private:
  // That the record speaks of as it is.
  Result<const BrokerImage*> FindAt(NodeId id, BrokerEpoch epoch) const;
  void Replace(BrokerImage broker, BrokersDelta* delta);

  PersistentMap<NodeId, BrokerPtr> brokers_;
};

}  // namespace tidemark::metadata
