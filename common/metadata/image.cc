#include "common/metadata/image.h"

#include <algorithm>

namespace tidemark::metadata {
namespace {

template <class Map, class Key>
auto* FindIn(const Map& map, const Key& key) {
  auto found = map.find(key);
  return found == map.end() ? nullptr : found->second.get();
}

}  // namespace

Uuid PartitionImage::DirectoryOf(NodeId replica) const {
  for (size_t i = 0; i < directories.size(); ++i) {
    if (replicas[i] == replica) return directories[i];
  }
  return Uuid{};
}

bool BrokerImage::HasDirectory(const Uuid& id) const {
  return std::find(directories.begin(), directories.end(), id) !=
         directories.end();
}

bool BrokerImage::IsOffline(const Uuid& id) const {
  return std::any_of(
      offline.begin(), offline.end(),
      [&](const OfflineDirectoryImage& one) { return one.id == id; });
}

const EndpointImage* BrokerImage::FindEndpoint(
    const std::string& listener) const {
  for (const EndpointImage& endpoint : endpoints) {
    if (endpoint.name == listener) return &endpoint;
  }
  return nullptr;
}

const TopicImage* Image::FindTopic(const std::string& name) const {
  return FindIn(topics_, name);
}

const TopicImage* Image::FindTopic(const Uuid& id) const {
  return FindIn(topics_by_id_, id);
}

const PartitionImage* Image::FindPartition(const std::string& topic,
                                           PartitionIndex partition) const {
  const TopicImage* found = FindTopic(topic);
  if (found == nullptr || partition < 0 ||
      static_cast<size_t>(partition) >= found->partitions.size()) {
    return nullptr;
  }
  return found->partitions[partition].get();
}

const BrokerImage* Image::FindBroker(NodeId id) const {
  return FindIn(brokers_, id);
}

const Image::Configs* Image::FindConfigs(const Resource& resource) const {
  auto found = configs_.find(resource);
  return found == configs_.end() ? nullptr : &found->second;
}

}  // namespace tidemark::metadata
