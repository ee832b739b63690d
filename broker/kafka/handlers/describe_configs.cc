#include "common/kafka/messages/describe_configs.h"

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Request = kafka::DescribeConfigsRequest;
using Response = kafka::DescribeConfigsResponse;
using Entry = Response::DescribeConfigsResourceResult;
using Synonym = Response::DescribeConfigsSynonym;
using metadata::ConfigSource;
using metadata::Resource;
using metadata::ResourceType;

// Kafka's DescribeConfigsResponse.ConfigType.
int8_t KafkaType(ConfigType type) {
  switch (type) {
    case ConfigType::kBool:
      return 1;
    case ConfigType::kString:
      return 2;
    case ConfigType::kInt:
      return 3;
    case ConfigType::kLong:
      return 5;
    case ConfigType::kDouble:
      return 6;
    case ConfigType::kList:
      return 7;
    case ConfigType::kPassword:
      return 9;
  }
  return 0;
}

bool IsWanted(const Request::DescribeConfigsResource& resource,
              std::string_view key) {
  // An empty list asks for all of them too, as in Kafka.
  return !resource.configuration_keys || resource.configuration_keys->empty() ||
         std::ranges::count(*resource.configuration_keys, key) > 0;
}

const std::string* Find(const metadata::Image& image, ResourceType type,
                        const std::string& name, std::string_view key) {
  const auto* configs = image.FindConfigs({type, name});
  if (configs == nullptr) return nullptr;
  const auto found = configs->find(std::string(key));
  return found == configs->end() ? nullptr : &found->second;
}

const ConfigKey* FindKey(std::span<const ConfigKey> keys,
                         std::string_view name) {
  const auto found = std::ranges::find(keys, name, &ConfigKey::name);
  return found == keys.end() ? nullptr : &*found;
}

// Every place a setting has a value, the one in force first.
class Synonyms {
 public:
  Synonyms(const Services& services, const metadata::Image& image)
      : services_(services), image_(image) {}

  void Topic(const std::string& topic, std::string_view key) {
    Add(key, Find(image_, ResourceType::kTopic, topic, key),
        ConfigSource::kTopic);
  }
  void Group(const std::string& group, std::string_view key) {
    Add(key, Find(image_, ResourceType::kGroup, group, key),
        ConfigSource::kGroup);
  }
  void ClientMetrics(const std::string& name, std::string_view key) {
    Add(key, Find(image_, ResourceType::kClientMetrics, name, key),
        ConfigSource::kClientMetrics);
  }
  void Broker(std::string_view key) {
    const BrokerConfig& config = *services_.config;
    Add(key,
        Find(image_, ResourceType::kBroker, std::to_string(config.node_id),
             key),
        ConfigSource::kDynamicBroker);
    DefaultBroker(key);
    const auto found = config.static_values().find(std::string(key));
    Add(key, found == config.static_values().end() ? nullptr : &found->second,
        ConfigSource::kStaticBroker);
  }
  void DefaultBroker(std::string_view key) {
    Add(key, Find(image_, ResourceType::kBroker, "", key),
        ConfigSource::kDynamicDefaultBroker);
  }
  void Default(std::string_view key, std::string_view value) {
    const std::string text(value);
    Add(key, &text, ConfigSource::kDefault);
  }
  std::vector<Synonym> Take() { return std::move(found_); }

 private:
  void Add(std::string_view key, const std::string* value,
           ConfigSource source) {
    if (value == nullptr) return;
    Synonym& synonym = found_.emplace_back();
    synonym.name = key;
    synonym.value = *value;
    synonym.source = static_cast<int8_t>(source);
  }

  const Services& services_;
  const metadata::Image& image_;
  std::vector<Synonym> found_;
};

Entry MakeEntry(const ConfigKey& key, std::vector<Synonym> synonyms,
                const Request& request) {
  Entry entry;
  entry.name = key.name;
  entry.value = synonyms.front().value;
  entry.config_source = synonyms.front().source;
  entry.config_type = KafkaType(key.type);
  if (entry.value && entry.value->empty() && key.type != ConfigType::kList) {
    entry.value = std::nullopt;
  }
  if (key.type == ConfigType::kPassword) {
    entry.is_sensitive = true;
    entry.value = std::nullopt;
    for (Synonym& synonym : synonyms) synonym.value = std::nullopt;
  }
  if (request.include_synonyms) entry.synonyms = std::move(synonyms);
  if (request.include_documentation) {
    entry.documentation = std::string(key.documentation);
  }
  return entry;
}

class Describer {
 public:
  Describer(const RequestContext& context, const Request& request)
      : services_(*context.services),
        request_(request),
        image_(services_.metadata->Get()) {}

  Response::DescribeConfigsResult Describe(
      const Request::DescribeConfigsResource& resource) const {
    Response::DescribeConfigsResult result;
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    Status status = Fill(resource, &result.configs);
    if (!status) {
      result.error_code = Code(status.error().code);
      result.error_message = NullableMessage(status.error().message);
    }
    return result;
  }

 private:
  Status Fill(const Request::DescribeConfigsResource& resource,
              std::vector<Entry>* entries) const {
    switch (static_cast<ResourceType>(resource.resource_type)) {
      case ResourceType::kTopic:
        return FillTopic(resource, entries);
      case ResourceType::kBroker:
        return FillBroker(resource, entries);
      case ResourceType::kGroup:
        return FillGroup(resource, entries);
      case ResourceType::kClientMetrics:
        return FillClientMetrics(resource, entries);
    }
    return Fail(ErrorCode::kInvalidRequest,
                "Settings of resource type " +
                    std::to_string(resource.resource_type) +
                    " cannot be described: 2 (topic), 4 (broker), 16 (client "
                    "metrics) and 32 (group) can.");
  }

  Status FillClientMetrics(const Request::DescribeConfigsResource& resource,
                           std::vector<Entry>* entries) const {
    if (resource.resource_name.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Client metrics subscription name must not be empty");
    }
    for (const ConfigKey& key : metadata::ClientMetricsConfigKeys()) {
      if (!IsWanted(resource, key.name)) continue;
      Synonyms synonyms(services_, *image_);
      synonyms.ClientMetrics(resource.resource_name, key.name);
      synonyms.Default(key.name, key.default_value);
      entries->push_back(MakeEntry(key, synonyms.Take(), request_));
    }
    return {};
  }

  // A group may have settings before it is there.
  Status FillGroup(const Request::DescribeConfigsResource& resource,
                   std::vector<Entry>* entries) const {
    if (resource.resource_name.empty()) {
      return Fail(ErrorCode::kInvalidRequest, "Group name must not be empty");
    }
    for (const ConfigKey& key : metadata::GroupConfigKeys()) {
      if (!IsWanted(resource, key.name)) continue;
      Synonyms synonyms(services_, *image_);
      synonyms.Group(resource.resource_name, key.name);
      synonyms.Default("group." + std::string(key.name), key.default_value);
      entries->push_back(MakeEntry(key, synonyms.Take(), request_));
    }
    return {};
  }

  Status FillTopic(const Request::DescribeConfigsResource& resource,
                   std::vector<Entry>* entries) const {
    const std::string& topic = resource.resource_name;
    if (!IsLegalTopicName(topic)) {
      return Fail(ErrorCode::kInvalidTopicException);
    }
    if (image_->FindTopic(topic) == nullptr) {
      return Fail(ErrorCode::kUnknownTopicOrPartition);
    }
    for (const ConfigKey& key : metadata::TopicConfigKeys()) {
      if (!IsWanted(resource, key.name)) continue;
      const std::string_view broker_key =
          metadata::BrokerKeyOfTopicKey(key.name);
      Synonyms synonyms(services_, *image_);
      synonyms.Topic(topic, key.name);
      if (!broker_key.empty()) synonyms.Broker(broker_key);
      synonyms.Default(broker_key.empty() ? key.name : broker_key,
                       key.default_value);
      entries->push_back(MakeEntry(key, synonyms.Take(), request_));
    }
    return {};
  }

  Status FillBroker(const Request::DescribeConfigsResource& resource,
                    std::vector<Entry>* entries) const {
    const std::string self = std::to_string(services_.config->node_id);
    if (resource.resource_name.empty()) {
      FillDefaults(resource, entries);
      return {};
    }
    if (resource.resource_name != self) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Unexpected broker id, expected " + self +
                      " or empty string, but received " +
                      resource.resource_name.substr(0, 64));
    }
    const auto dynamic = metadata::DynamicBrokerConfigKeys();
    auto add = [&](const ConfigKey& key, bool read_only) {
      if (!IsWanted(resource, key.name)) return;
      Synonyms synonyms(services_, *image_);
      synonyms.Broker(key.name);
      synonyms.Default(key.name, key.default_value);
      entries->push_back(MakeEntry(key, synonyms.Take(), request_));
      entries->back().read_only = read_only;
    };
    for (const ConfigKey& key : BrokerConfigKeys()) {
      add(key, FindKey(dynamic, key.name) == nullptr);
    }
    for (const ConfigKey& key : dynamic) {
      if (FindKey(BrokerConfigKeys(), key.name) == nullptr) add(key, false);
    }
    return {};
  }

  // The resource of all brokers lists only what was set in it.
  void FillDefaults(const Request::DescribeConfigsResource& resource,
                    std::vector<Entry>* entries) const {
    for (const ConfigKey& key : metadata::DynamicBrokerConfigKeys()) {
      if (!IsWanted(resource, key.name)) continue;
      Synonyms synonyms(services_, *image_);
      synonyms.DefaultBroker(key.name);
      auto found = synonyms.Take();
      if (!found.empty()) {
        entries->push_back(MakeEntry(key, std::move(found), request_));
      }
    }
  }

  const Services& services_;
  const Request& request_;
  const metadata::ImagePtr image_;
};

}  // namespace

void HandleDescribeConfigs(RequestContext context, Request request,
                           Reply<Response> reply) {
  const Describer describer(context, request);
  Response response;
  std::set<std::pair<int8_t, std::string>> seen;
  for (const auto& resource : request.resources) {
    if (!seen.emplace(resource.resource_type, resource.resource_name).second) {
      continue;
    }
    response.results.push_back(describer.Describe(resource));
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
