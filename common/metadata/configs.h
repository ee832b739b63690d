#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/config.h"
#include "common/metadata/image.h"

namespace tidemark::metadata {

// Every topic setting tidemark knows, with Kafka's names and defaults. A name
// that is not here is refused, and so is what CheckHasEffect says nothing acts
// on, so no setting is silently without effect.
std::span<const ConfigKey> TopicConfigKeys();

// Settings of brokers that may be changed while they run, in the resource of
// one broker or of all ("").
std::span<const ConfigKey> DynamicBrokerConfigKeys();

// Settings of a group, in its resource. Kafka has them for the groups of its
// newer protocols, which there are not here: CheckHasEffect takes their
// defaults only.
std::span<const ConfigKey> GroupConfigKeys();

// Settings of client-metrics resources (KIP-714): which clients are to push
// which of their metrics, and how often.
std::span<const ConfigKey> ClientMetricsConfigKeys();

// The broker key that holds the default of a topic setting, e.g.
// "log.retention.ms" for "retention.ms"; "" when there is none.
std::string_view BrokerKeyOfTopicKey(std::string_view topic_key);
// The other way round; "" for a setting of brokers alone.
std::string_view TopicKeyOfBrokerKey(std::string_view broker_key);

// A value of a topic setting, or of the broker key behind it, that nothing
// would act on: kInvalidConfig, with the reason. The default is always
// accepted, since what it promises is what happens; so tools that spell
// defaults out go on working.
Status CheckHasEffect(std::string_view key, std::string_view value);
// The topic settings of which only the default is accepted.
std::vector<std::string_view> TopicKeysWithoutEffect();

// Where a value came from: Kafka's ConfigSource codes.
enum class ConfigSource : int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kClientMetrics = 7,
  kGroup = 8,
};

struct ResolvedConfig {
  std::string value;
  ConfigSource source = ConfigSource::kDefault;
};

// A topic setting in force: topic -> this broker -> all brokers -> the
// process's own file (`static_configs`, by broker key) -> built-in default.
ResolvedConfig ResolveTopicConfig(
    const Image& image, const std::string& topic, std::string_view key,
    NodeId broker, const std::map<std::string, std::string>& static_configs);

// Of brokers alone, behind those of topics in DynamicBrokerConfigKeys: this
// broker -> all brokers -> the process's own file -> built-in default.
ResolvedConfig ResolveBrokerConfig(
    const Image& image, const ConfigKey& key, NodeId broker,
    const std::map<std::string, std::string>& static_configs = {});

// The same by name; kUnknown for one that is not dynamic.
ResolvedConfig ResolveBrokerConfig(
    const Image& image, std::string_view key, NodeId broker,
    const std::map<std::string, std::string>& static_configs);

// Whether a broker may remove the log of a partition that it is not assigned.
// Not after the metadata have gone back in time: what they do not know they may
// have forgotten.
inline constexpr std::string_view kRemoveUnknownLogs =
    "tidemark.unknown.logs.delete.enable";
bool MayRemoveUnknownLogs(const Image& image, NodeId broker);

}  // namespace tidemark::metadata
