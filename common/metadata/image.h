#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"

namespace tidemark::metadata {

// The directory of a replica whose log is lost: no directory is called so.
inline constexpr Uuid kLostDirectory = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct PartitionImage {
  std::vector<NodeId> replicas;  // preference order; [0] is preferred leader
  std::vector<NodeId> isr;       // subset of replicas, never empty
  // Replicas outside of the ISR that have all that was ever committed
  // (KIP-966): in sync when the ISR fell below min.insync.replicas, since when
  // nothing has been committed, nor may be as long as there are any.
  std::vector<NodeId> elr;
  NodeId leader = kNoNode;  // in isr, or none
  LeaderEpoch leader_epoch = 0;
  PartitionEpoch partition_epoch = 0;
  bool recovering = false;  // the leader was elected uncleanly
  // The log directory of each replica, in their order; empty: none is known.
  std::vector<Uuid> directories;

  // Zero when unknown, or when it is no replica.
  Uuid DirectoryOf(NodeId replica) const;

  bool operator==(const PartitionImage&) const = default;
};

struct TopicImage {
  std::string name;
  Uuid id;
  // Dense from 0. Unchanged partitions are shared between images.
  std::vector<std::shared_ptr<const PartitionImage>> partitions;
};

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

  bool operator==(const BrokerImage&) const = default;
  const EndpointImage* FindEndpoint(const std::string& listener) const;
  bool HasDirectory(const Uuid& id) const;
  bool IsOffline(const Uuid& id) const;
};

// Kafka's resource types.
enum class ResourceType : int8_t { kTopic = 2, kBroker = 4 };

struct Resource {
  ResourceType type;
  std::string name;  // broker "": default of all brokers
  auto operator<=>(const Resource&) const = default;
};

// The cluster's metadata after one offset of the controllers' log. Immutable:
// a new one shares what did not change. Any thread may hold and read it.
class Image {
 public:
  using TopicPtr = std::shared_ptr<const TopicImage>;
  using BrokerPtr = std::shared_ptr<const BrokerImage>;
  using Configs = std::map<std::string, std::string>;

  MetadataOffset offset() const { return offset_; }

  const TopicImage* FindTopic(const std::string& name) const;
  const TopicImage* FindTopic(const Uuid& id) const;
  const PartitionImage* FindPartition(const std::string& topic,
                                      PartitionIndex partition) const;
  const BrokerImage* FindBroker(NodeId id) const;
  // By name, in order.
  const std::map<std::string, TopicPtr>& topics() const { return topics_; }
  const std::map<NodeId, BrokerPtr>& brokers() const { return brokers_; }
  const std::map<Resource, Configs>& configs() const { return configs_; }
  // nullptr when the resource has none of its own.
  const Configs* FindConfigs(const Resource& resource) const;
  ProducerId next_producer_id() const { return next_producer_id_; }

 private:
  friend class ImageBuilder;
  MetadataOffset offset_ = 0;
  std::map<std::string, TopicPtr> topics_;
  std::unordered_map<Uuid, TopicPtr> topics_by_id_;
  std::map<NodeId, BrokerPtr> brokers_;
  std::map<Resource, Configs> configs_;
  ProducerId next_producer_id_ = 0;
};

using ImagePtr = std::shared_ptr<const Image>;

// What changed between two images, for publishers and metrics.
struct Delta {
  std::set<std::string> changed_topics;  // created, or some partition changed
  // Deleted (also when created anew under the same name).
  std::map<Uuid, Image::TopicPtr> deleted_topics;
  std::set<NodeId> changed_brokers;  // added, changed or removed
  std::set<Resource> changed_configs;
  bool from_snapshot = false;  // compared whole images, not records
};

}  // namespace tidemark::metadata
