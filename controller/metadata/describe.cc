#include "controller/metadata/describe.h"

#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "common/metadata/configs.h"

namespace tidemark::controller {
namespace {

using metadata::BrokerImage;
using metadata::ConfigSource;
using metadata::Image;
using metadata::PartitionImage;
using metadata::ResourceType;
using metadata::TopicImage;

void Write(const TopicImage& topic, admin_v1::Topic* out) {
  out->set_name(topic.name);
  out->set_topic_id(topic.id.ToBytes());
  out->set_internal(IsInternalTopic(topic.name));
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionImage& p = *topic.partitions[i];
    admin_v1::Partition* to = out->add_partitions();
    to->set_partition(static_cast<int32_t>(i));
    to->set_leader(p.leader);
    to->set_leader_epoch(p.leader_epoch);
    to->set_partition_epoch(p.partition_epoch);
    to->mutable_replicas()->Add(p.replicas.begin(), p.replicas.end());
    to->mutable_isr()->Add(p.isr.begin(), p.isr.end());
    to->mutable_eligible_leader_replicas()->Add(p.elr.begin(), p.elr.end());
  }
}

const char* SourceName(ConfigSource source) {
  switch (source) {
    case ConfigSource::kTopic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::kDynamicBroker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::kDynamicDefaultBroker:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::kStaticBroker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::kDefault:
      return "DEFAULT_CONFIG";
    case ConfigSource::kClientMetrics:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case ConfigSource::kGroup:
      return "DYNAMIC_GROUP_CONFIG";
    case ConfigSource::kUnknown:
      break;
  }
  return "UNKNOWN";
}

using ConfigResult = admin_v1::DescribeConfigsResponse::Result;

void AddEntry(const ConfigKey& key, const metadata::ResolvedConfig& config,
              ConfigSource own, ConfigResult* out) {
  auto* entry = out->add_entries();
  entry->set_key(std::string(key.name));
  entry->set_value(config.value);
  entry->set_is_default(config.source != own);
  entry->set_source(SourceName(config.source));
  entry->set_documentation(std::string(key.documentation));
}

void DescribeTopicConfigs(const Image& image, const std::string& topic,
                          const Settings& settings, ConfigResult* out) {
  if (image.FindTopic(topic) == nullptr) {
    out->set_code(static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
    out->set_message("The topic '" + topic + "' does not exist.");
    return;
  }
  for (const ConfigKey& key : metadata::TopicConfigKeys()) {
    AddEntry(key,
             metadata::ResolveTopicConfig(image, topic, key.name, kNoNode,
                                          settings.static_configs),
             ConfigSource::kTopic, out);
  }
}

void DescribeBrokerConfigs(const Image& image, const std::string& name,
                           const Settings& settings, ConfigResult* out) {
  NodeId id = kNoNode;
  if (!name.empty()) {
    const char* end = name.data() + name.size();
    auto [stop, error] = std::from_chars(name.data(), end, id);
    if (error != std::errc() || stop != end || std::to_string(id) != name ||
        image.FindBroker(id) == nullptr) {
      out->set_code(static_cast<int32_t>(ErrorCode::kBrokerIdNotRegistered));
      out->set_message("broker " + name + " is not registered");
      return;
    }
  }
  const ConfigSource own = name.empty() ? ConfigSource::kDynamicDefaultBroker
                                        : ConfigSource::kDynamicBroker;
  for (const ConfigKey& key : metadata::DynamicBrokerConfigKeys()) {
    AddEntry(
        key,
        metadata::ResolveBrokerConfig(image, key, id, settings.static_configs),
        own, out);
  }
}

// Of a resource whose settings have no other source.
void DescribeOwnConfigs(const Image& image, const metadata::Resource& resource,
                        std::span<const ConfigKey> keys, ConfigSource source,
                        ConfigResult* out) {
  const auto* set = image.FindConfigs(resource);
  for (const ConfigKey& key : keys) {
    metadata::ResolvedConfig config{std::string(key.default_value)};
    if (set != nullptr) {
      if (auto found = set->find(std::string(key.name)); found != set->end()) {
        config = {found->second, source};
      }
    }
    AddEntry(key, config, source, out);
  }
}

constexpr int kMaxDescribed = 2000;

Status TooMany() {
  return Fail(ErrorCode::kPolicyViolation,
              "one request may name " + std::to_string(kMaxDescribed) +
                  ": ask for the rest in another, or name none for all");
}

}  // namespace

bool IsInternalTopic(const std::string& name) {
  return name == "__consumer_offsets" || name == "__transaction_state";
}

Status CheckSize(const admin_v1::DescribeTopicsRequest& request) {
  return request.names_size() > kMaxDescribed ? TooMany() : Status();
}

Status CheckSize(const admin_v1::DescribeConfigsRequest& request) {
  return request.resources_size() > kMaxDescribed ? TooMany() : Status();
}

Status CheckSize(const admin_v1::DescribeClusterRequest&) { return {}; }

Status CheckSize(const admin_v1::ListConfigResourcesRequest& request) {
  return request.types_size() > kMaxDescribed ? TooMany() : Status();
}

admin_v1::DescribeTopicsResponse Describe(
    const View& view, const admin_v1::DescribeTopicsRequest& request) {
  const Image& image = view.image;
  admin_v1::DescribeTopicsResponse out;
  auto add = [&](const std::string& name, const TopicImage* topic) {
    auto* result = out.add_topics();
    result->set_name(name);
    if (topic != nullptr) return Write(*topic, result->mutable_topic());
    result->set_code(static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
    result->set_message("The topic '" + name + "' does not exist.");
  };
  std::set<std::string_view> seen;
  for (const std::string& name : request.names()) {
    if (seen.insert(name).second) add(name, image.FindTopic(name));
  }
  if (request.names().empty()) {
    for (const auto& [name, topic] : image.topics()) add(name, topic.get());
  }
  return out;
}

admin_v1::DescribeConfigsResponse Describe(
    const View& view, const admin_v1::DescribeConfigsRequest& request) {
  admin_v1::DescribeConfigsResponse out;
  std::set<std::pair<int32_t, std::string_view>> seen;
  for (const admin_v1::Resource& resource : request.resources()) {
    if (!seen.insert({resource.type(), resource.name()}).second) continue;
    ConfigResult* result = out.add_resources();
    *result->mutable_resource() = resource;
    if (resource.type() == static_cast<int32_t>(ResourceType::kTopic)) {
      DescribeTopicConfigs(view.image, resource.name(), view.settings, result);
    } else if (resource.type() == static_cast<int32_t>(ResourceType::kBroker)) {
      DescribeBrokerConfigs(view.image, resource.name(), view.settings, result);
    } else if (resource.type() == static_cast<int32_t>(ResourceType::kGroup)) {
      DescribeOwnConfigs(view.image, {ResourceType::kGroup, resource.name()},
                         metadata::GroupConfigKeys(), ConfigSource::kGroup,
                         result);
    } else if (resource.type() ==
               static_cast<int32_t>(ResourceType::kClientMetrics)) {
      DescribeOwnConfigs(view.image,
                         {ResourceType::kClientMetrics, resource.name()},
                         metadata::ClientMetricsConfigKeys(),
                         ConfigSource::kClientMetrics, result);
    } else {
      result->set_code(static_cast<int32_t>(ErrorCode::kInvalidRequest));
      result->set_message(
          "only topics (2), brokers (4), client metrics (16) and groups (32) "
          "have configurations");
    }
  }
  return out;
}

admin_v1::ListConfigResourcesResponse Describe(
    const View& view, const admin_v1::ListConfigResourcesRequest& request) {
  const Image& image = view.image;
  admin_v1::ListConfigResourcesResponse out;
  const std::set<int32_t> types(request.types().begin(), request.types().end());
  const auto of = [&](ResourceType type) {
    return types.empty() || types.contains(static_cast<int32_t>(type));
  };
  const auto add = [&](ResourceType type, const std::string& name) {
    auto* resource = out.add_resources();
    resource->set_type(static_cast<int32_t>(type));
    resource->set_name(name);
  };
  if (of(ResourceType::kTopic)) {
    for (const auto& [name, topic] : image.topics()) {
      add(ResourceType::kTopic, name);
    }
  }
  if (of(ResourceType::kBroker)) {
    for (const auto& [id, broker] : image.brokers()) {
      add(ResourceType::kBroker, std::to_string(id));
    }
  }
  for (const auto type : {ResourceType::kClientMetrics, ResourceType::kGroup}) {
    if (!of(type)) continue;
    for (const auto& name : image.configs().Names(type)) add(type, name);
  }
  return out;
}

admin_v1::DescribeClusterResponse Describe(
    const View& view, const admin_v1::DescribeClusterRequest&) {
  const Image& image = view.image;
  admin_v1::DescribeClusterResponse out;
  out.set_cluster_id(view.settings.cluster_id);
  for (const auto& [id, broker] : image.brokers()) {
    admin_v1::Broker* to = out.add_brokers();
    to->set_id(id);
    if (!broker->endpoints.empty()) {
      to->set_host(broker->endpoints[0].host);
      to->set_port(broker->endpoints[0].port);
    }
    to->set_rack(broker->rack);
    for (const auto& offline : broker->offline) {
      auto* directory = to->add_offline_directories();
      directory->set_id(offline.id.ToBytes());
      directory->set_path(offline.path);
      directory->set_reason(offline.reason);
    }
    to->set_fenced(broker->fenced);
    to->set_in_controlled_shutdown(broker->in_controlled_shutdown);
    to->set_epoch(broker->epoch);
    const metadata::BrokerPartitions& of = image.topics().Of(id);
    to->set_leaders(of.leads);
    to->set_replicas(static_cast<int32_t>(of.replicas.size()));
  }
  Counts counts = Count(image);
  out.set_topics(static_cast<int32_t>(counts.topics));
  out.set_partitions(static_cast<int32_t>(counts.partitions));
  out.set_offline_partitions(static_cast<int32_t>(counts.offline));
  out.set_under_replicated_partitions(
      static_cast<int32_t>(counts.under_replicated));
  return out;
}

Counts Count(const Image& image) {
  Counts out;
  const metadata::TopicsImage& topics = image.topics();
  out.topics = static_cast<int64_t>(topics.size());
  out.partitions = topics.partitions();
  out.offline = static_cast<int64_t>(topics.leaderless().size());
  out.under_replicated = topics.under_replicated();
  out.not_preferred = static_cast<int64_t>(topics.not_preferred().size());
  out.moving = static_cast<int64_t>(topics.moving().size());
  for (const auto& [id, broker] : image.brokers()) {
    ++(broker->fenced ? out.fenced_brokers : out.active_brokers);
  }
  return out;
}

}  // namespace tidemark::controller
