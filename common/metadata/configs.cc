#include "common/metadata/configs.h"

#include <array>
#include <charconv>
#include <limits>
#include <vector>

namespace tidemark::metadata {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

struct TopicKey {
  ConfigKey key;
  std::string_view broker_key;
};

// Kafka's names and defaults (org.apache.kafka TopicConfig, LogConfig).
constexpr TopicKey kTopicKeys[] = {
    {{"cleanup.policy", ConfigType::kList, "delete",
      "What happens to old segments: delete removes them by age and size, "
      "compact keeps the last record of each key.",
      1, 0, "compact|delete"},
     "log.cleanup.policy"},
    {{"compression.type", ConfigType::kString, "producer",
      "Codec batches are stored with; producer: as they were sent.", 1, 0,
      "uncompressed|zstd|lz4|snappy|gzip|producer"},
     "compression.type"},
    {{"delete.retention.ms", ConfigType::kLong, "86400000",
      "How long delete markers of compacted topics are kept.", 0, kMaxLong},
     "log.cleaner.delete.retention.ms"},
    {{"file.delete.delay.ms", ConfigType::kLong, "60000",
      "How long a deleted segment's file stays on disk, unless its space runs "
      "out.",
      0, kMaxLong},
     "log.segment.delete.delay.ms"},
    {{"flush.messages", ConfigType::kLong, "1",
      "Records between two syncs to disk. 1: every acknowledged record is on "
      "disk first; 9223372036854775807: leave it to the operating system.",
      1, kMaxLong},
     "log.flush.interval.messages"},
    {{"flush.ms", ConfigType::kLong, "9223372036854775807",
      "Longest time between two syncs to disk.", 0, kMaxLong},
     "log.flush.interval.ms"},
    {{"follower.replication.throttled.replicas", ConfigType::kList, "",
      "Replicas that fetch no faster than follower.replication.throttled.rate: "
      "partition:broker, comma separated, or * for all.",
      1, 0},
     ""},
    {{"index.interval.bytes", ConfigType::kInt, "4096",
      "Bytes of log between two entries of the offset index.", 0, kMaxInt},
     "log.index.interval.bytes"},
    {{"leader.replication.throttled.replicas", ConfigType::kList, "",
      "Replicas that leaders send to no faster than "
      "leader.replication.throttled.rate: partition:broker, comma separated, "
      "or * for all.",
      1, 0},
     ""},
    {{"max.compaction.lag.ms", ConfigType::kLong, "9223372036854775807",
      "Longest time a record may stay uncompacted.", 1, kMaxLong},
     "log.cleaner.max.compaction.lag.ms"},
    {{"max.message.bytes", ConfigType::kInt, "1048588",
      "Largest record batch accepted.", 0, kMaxInt},
     "message.max.bytes"},
    {{"message.timestamp.after.max.ms", ConfigType::kLong, "3600000",
      "How far a record's timestamp may be ahead of the broker's clock.", 0,
      kMaxLong},
     "log.message.timestamp.after.max.ms"},
    {{"message.timestamp.before.max.ms", ConfigType::kLong,
      "9223372036854775807",
      "How far a record's timestamp may be behind the broker's clock.", 0,
      kMaxLong},
     "log.message.timestamp.before.max.ms"},
    {{"message.timestamp.type", ConfigType::kString, "CreateTime",
      "Whose clock a record's timestamp is from.", 1, 0,
      "CreateTime|LogAppendTime"},
     "log.message.timestamp.type"},
    {{"min.cleanable.dirty.ratio", ConfigType::kDouble, "0.5",
      "Share of uncompacted log that starts a compaction."},
     "log.cleaner.min.cleanable.ratio"},
    {{"min.compaction.lag.ms", ConfigType::kLong, "0",
      "How long a record stays uncompacted at least.", 0, kMaxLong},
     "log.cleaner.min.compaction.lag.ms"},
    {{"min.insync.replicas", ConfigType::kInt, "1",
      "In-sync replicas needed to accept writes with acks=all.", 1, kMaxInt},
     "min.insync.replicas"},
    {{"preallocate", ConfigType::kBool, "false",
      "Reserve a new segment's space on disk."},
     "log.preallocate"},
    {{"retention.bytes", ConfigType::kLong, "-1",
      "Size of a partition above which old segments go; -1: no limit.", -1,
      kMaxLong},
     "log.retention.bytes"},
    {{"retention.ms", ConfigType::kLong, "604800000",
      "Age at which segments go; -1: never.", -1, kMaxLong},
     "log.retention.ms"},
    {{"segment.bytes", ConfigType::kInt, "1073741824",
      "Size at which a new segment starts.", 14, kMaxInt},
     "log.segment.bytes"},
    {{"segment.index.bytes", ConfigType::kInt, "10485760",
      "Largest size of a segment's index.", 4, kMaxInt},
     "log.index.size.max.bytes"},
    {{"segment.jitter.ms", ConfigType::kLong, "0",
      "Random part taken from segment.ms.", 0, kMaxLong},
     "log.roll.jitter.ms"},
    {{"segment.ms", ConfigType::kLong, "604800000",
      "Age at which a new segment starts.", 1, kMaxLong},
     "log.roll.ms"},
    {{"tidemark.record.validation", ConfigType::kString, "full",
      "full: leaders unpack and read every record, so that what is stored can "
      "be read; header: for producers one trusts, only what surrounds them.",
      1, 0, "full|header"},
     "tidemark.log.record.validation"},
    {{"unclean.leader.election.enable", ConfigType::kBool, "false",
      "Let a replica outside the in-sync set lead, losing records, when no "
      "other is left."},
     "unclean.leader.election.enable"},
};
constexpr size_t kCount = std::size(kTopicKeys);

// Settings no code reads yet, and what happens instead. A test compares this
// list with the names that the code asks for.
struct Unread {
  std::string_view topic_key, instead;
};
constexpr Unread kUnread[] = {
    {"flush.ms", "flush.messages alone decides when records are synced"},
    {"preallocate", "segments grow as they are written"},
    {"segment.index.bytes", "an index is as large as its segment needs"},
    {"segment.jitter.ms", "segments roll at segment.ms exactly"},
};

// Whether the two are the same value: "060" is "60", "0.50" is "0.5".
bool SameValue(ConfigType type, std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (type == ConfigType::kString || type == ConfigType::kList ||
      type == ConfigType::kBool) {
    return false;
  }
  const auto number = [](std::string_view text) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  return number(a) == number(b);
}

using KeyArray = std::array<ConfigKey, kCount>;

const TopicKey* Find(std::string_view name) {
  for (const TopicKey& entry : kTopicKeys) {
    if (entry.key.name == name) return &entry;
  }
  return nullptr;
}

constexpr ConfigKey kRemoveUnknownLogsKey = {
    kRemoveUnknownLogs, ConfigType::kBool, "true",
    "Whether logs of partitions are removed that the controllers do not know, "
    "or not any more. false, as after tidemark quorum restore and recover: "
    "they are renamed and kept."};

// Of brokers alone, and no topic's default.
constexpr ConfigKey kBrokerKeys[] = {
    {"follower.replication.throttled.rate", ConfigType::kLong,
     "9223372036854775807",
     "Bytes per second that the replicas of "
     "follower.replication.throttled.replicas fetch at most.",
     0, kMaxLong},
    {"leader.replication.throttled.rate", ConfigType::kLong,
     "9223372036854775807",
     "Bytes per second that are sent at most to the replicas of "
     "leader.replication.throttled.replicas.",
     0, kMaxLong},
    {"producer.id.expiration.ms", ConfigType::kInt, "86400000",
     "How long the last batches of an idle producer are remembered.", 1,
     kMaxInt},
    {"replica.alter.log.dirs.io.max.bytes.per.second", ConfigType::kLong,
     "9223372036854775807",
     "How fast replicas move between the directories of a broker.", 0,
     kMaxLong},
    {"transaction.partition.verification.enable", ConfigType::kBool, "true",
     "Whether the coordinator of a transaction is asked before the first batch "
     "of it is appended to a partition."},
    {"log.cleaner.backoff.ms", ConfigType::kLong, "15000",
     "How long the cleaner waits when nothing is to be compacted.", 1,
     kMaxLong},
    {"log.cleaner.dedupe.buffer.size", ConfigType::kLong, "134217728",
     "Memory of all cleaner threads for the last offsets of keys, 24 bytes "
     "each.",
     1024, kMaxLong},
    {"log.cleaner.io.buffer.load.factor", ConfigType::kDouble, "0.9",
     "Part of that memory that is filled."},
    {"log.cleaner.io.max.bytes.per.second", ConfigType::kDouble,
     "1.7976931348623157E308",
     "Most bytes that all cleaner threads read and write in a second."},
    {"log.cleaner.threads", ConfigType::kInt, "1", "Threads that compact logs.",
     0, 256},
    {"tidemark.log.cleaner.share", ConfigType::kDouble, "0.1",
     "Of its time that a cleaner works while anybody writes; 1: all of it."},
    {"max.connections", ConfigType::kInt, "2147483647",
     "Most connections; further ones are closed at once. Never more than the "
     "limit of open files allows, less a quarter of it for logs.",
     0, kMaxInt},
    {"max.connections.per.ip", ConfigType::kInt, "2147483647",
     "Most connections from one address.", 0, kMaxInt},
    kRemoveUnknownLogsKey,
};

// Kafka's, of groups whose protocols there are not here.
constexpr ConfigKey kGroupKeys[] = {
    {"consumer.heartbeat.interval.ms", ConfigType::kInt, "5000",
     "How often members of a consumer group report.", 1, kMaxInt},
    {"consumer.session.timeout.ms", ConfigType::kInt, "45000",
     "After how long without a report a member of a consumer group is lost.", 1,
     kMaxInt},
};

constexpr ConfigKey kClientMetricsKeys[] = {
    {"interval.ms", ConfigType::kInt, "300000",
     "How often the clients push these metrics.", 100, 3'600'000},
    {"metrics", ConfigType::kList, "",
     "What the names of the metrics begin with; \"*\": all."},
    {"match", ConfigType::kList, "",
     "Which clients: NAME=REGEX, all of which have to match, of "
     "client_instance_id, client_id, client_software_name, "
     "client_software_version, client_source_address, client_source_port."},
};

// As kUnread, of settings that are no topic's.
constexpr struct {
  const ConfigKey& key;
  std::string_view instead;
} kUnreadOthers[] = {
    {kGroupKeys[0], "groups use the classic protocol, whose members say it"},
    {kGroupKeys[1], "groups use the classic protocol, whose members say it"},
};

// Kafka's coarser keys of the same setting, with their factor to ms.
struct CoarseKey {
  std::string_view broker_key, name;
  int64_t factor;
};
constexpr CoarseKey kCoarseKeys[] = {
    {"log.retention.ms", "log.retention.minutes", 60'000},
    {"log.retention.ms", "log.retention.hours", 3'600'000},
    {"log.roll.ms", "log.roll.hours", 3'600'000},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", 3'600'000},
};

std::optional<std::string> FindStatic(
    const std::map<std::string, std::string>& configs,
    std::string_view broker_key) {
  if (auto found = configs.find(std::string(broker_key));
      found != configs.end()) {
    return found->second;
  }
  for (const CoarseKey& coarse : kCoarseKeys) {
    if (coarse.broker_key != broker_key) continue;
    auto found = configs.find(std::string(coarse.name));
    if (found == configs.end()) continue;
    int64_t value = 0;
    const std::string& text = found->second;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value > kMaxLong / coarse.factor) continue;
    return value < 0 ? "-1" : std::to_string(value * coarse.factor);
  }
  return std::nullopt;
}

}  // namespace

std::span<const ConfigKey> TopicConfigKeys() {
  static const KeyArray keys = [] {
    KeyArray out;
    for (size_t i = 0; i < kCount; ++i) out[i] = kTopicKeys[i].key;
    return out;
  }();
  return keys;
}

std::span<const ConfigKey> DynamicBrokerConfigKeys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> out;
    for (const TopicKey& topic : kTopicKeys) {
      if (topic.broker_key.empty()) continue;
      out.push_back(topic.key);
      out.back().name = topic.broker_key;
    }
    out.insert(out.end(), std::begin(kBrokerKeys), std::end(kBrokerKeys));
    return out;
  }();
  return keys;
}

std::span<const ConfigKey> GroupConfigKeys() { return kGroupKeys; }

std::span<const ConfigKey> ClientMetricsConfigKeys() {
  return kClientMetricsKeys;
}

ResolvedConfig ResolveBrokerConfig(
    const Image& image, const ConfigKey& key, NodeId broker,
    const std::map<std::string, std::string>& static_configs) {
  const std::pair<std::string, ConfigSource> resources[] = {
      {std::to_string(broker), ConfigSource::kDynamicBroker},
      {"", ConfigSource::kDynamicDefaultBroker}};
  for (const auto& [name, source] : resources) {
    const auto* set = image.FindConfigs({ResourceType::kBroker, name});
    if (set == nullptr) continue;
    const auto found = set->find(std::string(key.name));
    if (found != set->end()) return {found->second, source};
  }
  if (auto value = FindStatic(static_configs, key.name)) {
    return {*value, ConfigSource::kStaticBroker};
  }
  return {std::string(key.default_value), ConfigSource::kDefault};
}

ResolvedConfig ResolveBrokerConfig(
    const Image& image, std::string_view key, NodeId broker,
    const std::map<std::string, std::string>& static_configs) {
  for (const ConfigKey& known : DynamicBrokerConfigKeys()) {
    if (known.name != key) continue;
    return ResolveBrokerConfig(image, known, broker, static_configs);
  }
  return {"", ConfigSource::kUnknown};
}

bool MayRemoveUnknownLogs(const Image& image, NodeId broker) {
  return ResolveBrokerConfig(image, kRemoveUnknownLogsKey, broker).value !=
         "false";
}

std::string_view BrokerKeyOfTopicKey(std::string_view topic_key) {
  const TopicKey* found = Find(topic_key);
  return found == nullptr ? std::string_view() : found->broker_key;
}

std::string_view TopicKeyOfBrokerKey(std::string_view broker_key) {
  for (const TopicKey& entry : kTopicKeys) {
    if (entry.broker_key == broker_key && !broker_key.empty()) {
      return entry.key.name;
    }
  }
  return "";
}

namespace {

Status CheckDefault(const ConfigKey& known, std::string_view key,
                    std::string_view value, std::string_view instead) {
  if (SameValue(known.type, value, known.default_value)) return {};
  return Fail(ErrorCode::kInvalidConfig,
              std::string(key) + "=" + std::string(value) +
                  " would be without effect: " + std::string(instead) +
                  "; only the default " + std::string(known.default_value) +
                  " is accepted");
}

}  // namespace

Status CheckHasEffect(std::string_view key, std::string_view value) {
  for (const Unread& unread : kUnread) {
    const TopicKey* entry = Find(unread.topic_key);
    if (key != entry->key.name && key != entry->broker_key) continue;
    return CheckDefault(entry->key, key, value, unread.instead);
  }
  for (const auto& unread : kUnreadOthers) {
    if (key != unread.key.name) continue;
    return CheckDefault(unread.key, key, value, unread.instead);
  }
  return {};
}

std::vector<std::string_view> TopicKeysWithoutEffect() {
  std::vector<std::string_view> out;
  for (const Unread& unread : kUnread) out.push_back(unread.topic_key);
  return out;
}

ResolvedConfig ResolveTopicConfig(
    const Image& image, const std::string& topic, std::string_view key,
    NodeId broker, const std::map<std::string, std::string>& static_configs) {
  auto find = [&](ResourceType type, const std::string& name,
                  std::string_view wanted) -> const std::string* {
    const Image::Configs* configs = image.FindConfigs({type, name});
    if (configs == nullptr) return nullptr;
    auto found = configs->find(std::string(wanted));
    return found == configs->end() ? nullptr : &found->second;
  };
  if (auto* value = find(ResourceType::kTopic, topic, key)) {
    return {*value, ConfigSource::kTopic};
  }
  const TopicKey* entry = Find(key);
  if (entry == nullptr) return {"", ConfigSource::kUnknown};
  if (entry->broker_key.empty()) {
    return {std::string(entry->key.default_value), ConfigSource::kDefault};
  }
  if (broker != kNoNode) {
    if (auto* value = find(ResourceType::kBroker, std::to_string(broker),
                           entry->broker_key)) {
      return {*value, ConfigSource::kDynamicBroker};
    }
  }
  if (auto* value = find(ResourceType::kBroker, "", entry->broker_key)) {
    return {*value, ConfigSource::kDynamicDefaultBroker};
  }
  if (auto value = FindStatic(static_configs, entry->broker_key)) {
    return {*value, ConfigSource::kStaticBroker};
  }
  return {std::string(entry->key.default_value), ConfigSource::kDefault};
}

}  // namespace tidemark::metadata
