#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/persistent_map.h"
#include "common/metadata/record.h"
#include "common/metadata/topics_image.h"

namespace tidemark::metadata {

// Kafka's resource types.
enum class ResourceType : int8_t {
  kTopic = 2,
  kBroker = 4,
  kClientMetrics = 16,
  kGroup = 32
};

struct Resource {
  ResourceType type;
  std::string name;  // broker "": default of all brokers
  auto operator<=>(const Resource&) const = default;
};

using Configs = std::map<std::string, std::string>;

struct ConfigsDelta {
  std::set<Resource> changed_configs;
};

// Settings of topics, brokers, groups and client metrics, as they were set
// (common/metadata/configs.h says which there are and what is in force).
class ConfigsImage {
 public:
  // nullptr when the resource has none of its own.
  const Configs* Find(const Resource& resource) const;
  // The names of all of a type that have settings, in order.
  std::vector<std::string> Names(ResourceType type) const;

  // `topics`: a topic has settings only as long as it is there.
  Status Apply(const v1::SetConfig& record, const TopicsImage& topics,
               ConfigsDelta* delta);
  // Before the topics forget it.
  Status Apply(const v1::RemoveTopic& record, const TopicsImage& topics,
               ConfigsDelta* delta);
  void ToRecords(const RecordSink& sink) const;
  friend void Difference(const ConfigsImage& from, const ConfigsImage& to,
                         ConfigsDelta* delta);

 private:
  PersistentMap<Resource, std::shared_ptr<const Configs>> configs_;
};

}  // namespace tidemark::metadata
