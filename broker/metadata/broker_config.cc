#include "broker/metadata/broker_config.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <thread>

#include "broker/metadata/authentication_keys.h"
#include "common/authorization/settings.h"
#include "common/base/plaintext.h"
#include "common/metadata/configs.h"
#include "common/rpc/http_settings.h"
#include "common/tls/config_keys.h"

namespace tidemark {
namespace {

constexpr int64_t kIntMax = INT32_MAX;
constexpr int64_t kLongMax = INT64_MAX;
using enum ConfigType;

constexpr ConfigKey kKeys[] = {
    // Who and where.
    {"node.id", kInt, "-1", "The id of this broker, unique in the cluster.", -1,
     kIntMax},
    {"broker.id", kInt, "-1", "The older name of node.id.", -1, kIntMax},
    {"process.roles", kList, "broker",
     "Accepted for Kafka's files; tidemark-broker is a broker.", 1, 0,
     "broker|controller"},
    {"broker.rack", kString, "",
     "The rack of this broker; replicas are spread over racks."},
    {"replica.selector.class", kString,
     "org.apache.kafka.common.replica.LeaderSelector",
     "Whom consumers read from: their leaders, or with "
     "RackAwareReplicaSelector a replica in their own rack (client.rack).",
     1, 0,
     "org.apache.kafka.common.replica.LeaderSelector|"
     "org.apache.kafka.common.replica.RackAwareReplicaSelector"},
    {"listeners", kList, "PLAINTEXT://:9092",
     "Where to listen for Kafka clients: NAME://host:port, comma separated."},
    {"advertised.listeners", kList, "",
     "What clients are told to connect to; default: listeners."},
    {"listener.security.protocol.map", kList, "PLAINTEXT:PLAINTEXT",
     "Security protocol of each listener name: NAME:PROTOCOL."},
    {"inter.broker.listener.name", kString, "PLAINTEXT",
     "The listener that brokers replicate over."},
    {"controller.listener.names", kList, "CONTROLLER",
     "Listeners of this name in `listeners` belong to a controller."},
    {"controller.quorum.voters", kList, "",
     "The controllers: id@host:port, comma separated."},
    {"controller.quorum.bootstrap.servers", kList, "",
     "The controllers: host:port, comma separated."},
    {"http.host", kString, "0.0.0.0", "Where /metrics and /readyz listen."},
    {"http.port", kInt, "9644", "Port of /metrics and /readyz; -1: none.", -1,
     65535},
    // Storage.
    {"log.dirs", kList, "", "Directories of the data, comma separated."},
    {"log.dir", kString, "/var/lib/tidemark/broker",
     "Directory of the data, when log.dirs is not set."},
    {"log.dirs.min.free.bytes", kLong, "-1",
     "Free space on a disk below which producers are refused; -1: 1 % of the "
     "disk, at most 1 GiB.",
     -1, kLongMax},
    {"tidemark.log.journal.file.bytes", kLong, "33554432",
     "Size of a file of a log directory's journal, of which there are up to 8.",
     65536, int64_t{1} << 30},
    {"tidemark.log.journal.in.place.bytes", kLong, "16384",
     "From this size on what a partition has appended is synced in its "
     "segment, "
     "not in the journal.",
     0, kLongMax},
    {"log.retention.ms", kLong, "604800000",
     "How long records are kept; -1: for ever.", -1, kLongMax},
    {"log.retention.minutes", kInt, "10080",
     "log.retention.ms in minutes, when that is not set.", -1, kIntMax},
    {"log.retention.hours", kInt, "168",
     "log.retention.ms in hours, when neither of the others is set.", -1,
     kIntMax},
    {"log.retention.bytes", kLong, "-1",
     "Size of a partition above which old segments go; -1: no limit.", -1,
     kLongMax},
    {"log.retention.check.interval.ms", kLong, "300000",
     "How often retention is applied.", 1, kLongMax},
    {"log.scrub.bytes.per.second", kLong, "4194304",
     "How fast data that is not written to any more is read and checked; what "
     "has rotted is fetched again from another replica. 0: never.",
     0, kLongMax},
    {"log.scrub.interval.ms", kLong, "604800000",
     "How often all of it is read.", 1, kLongMax},
    {"log.segment.bytes", kInt, "1073741824", "Largest segment file.", 1024,
     kIntMax},
    {"log.segment.delete.delay.ms", kLong, "60000",
     "How long files of deleted segments and topics stay on disk, unless its "
     "space runs out.",
     0, kLongMax},
    {"log.roll.ms", kLong, "604800000", "Longest time a segment is written to.",
     1, kLongMax},
    {"log.roll.hours", kInt, "168", "log.roll.ms in hours.", 1, kIntMax},
    {"log.index.interval.bytes", kInt, "4096",
     "Bytes of a segment between two entries of its index.", 0, kIntMax},
    {"log.index.size.max.bytes", kInt, "10485760", "Largest index file.", 4,
     kIntMax},
    {"log.cleanup.policy", kList, "delete", "What happens to old records.", 1,
     0, "delete|compact"},
    {"log.cleaner.enable", kBool, "true",
     "Whether logs with cleanup.policy=compact are compacted."},
    {"log.cleaner.threads", kInt, "1", "Threads that compact logs.", 0,
     kIntMax},
    {"log.cleaner.dedupe.buffer.size", kLong, "134217728",
     "Memory of all these threads for the last offsets of keys, 24 bytes each.",
     1024, kLongMax},
    {"log.cleaner.io.buffer.load.factor", kDouble, "0.9",
     "Part of that memory that is filled."},
    {"log.cleaner.io.max.bytes.per.second", kDouble, "1.7976931348623157E308",
     "Most bytes that all of them read and write in a second."},
    {"log.cleaner.backoff.ms", kLong, "15000",
     "How long they wait when nothing is to be compacted.", 1, kLongMax},
    {"log.cleaner.min.cleanable.ratio", kDouble, "0.5",
     "Share of uncompacted log that starts a compaction."},
    {"log.cleaner.delete.retention.ms", kLong, "86400000",
     "How long delete markers of compacted topics are kept.", 0, kLongMax},
    {"log.cleaner.min.compaction.lag.ms", kLong, "0",
     "How long a record stays uncompacted at least.", 0, kLongMax},
    {"log.cleaner.max.compaction.lag.ms", kLong, "9223372036854775807",
     "Longest time a record may stay uncompacted.", 1, kLongMax},
    {"log.message.timestamp.type", kString, "CreateTime",
     "Whose clock dates records.", 1, 0, "CreateTime|LogAppendTime"},
    {"log.flush.interval.messages", kLong, "1",
     "1: acknowledged means synced to disk; 9223372036854775807: left to the "
     "page cache, Kafka's default.",
     1, kLongMax},
    {"compression.type", kString, "producer",
     "Codec batches are stored with; producer: as they were sent.", 1, 0,
     "uncompressed|zstd|lz4|snappy|gzip|producer"},
    {"message.max.bytes", kInt, "1048588", "Largest record batch.", 0, kIntMax},
    {"producer.id.expiration.ms", kInt, "86400000",
     "How long the last batches of an idle producer are remembered.", 1,
     kIntMax},
    {"transaction.partition.verification.enable", kBool, "true",
     "Whether the coordinator of a transaction is asked before the first batch "
     "of it is appended to a partition."},
    // Topics.
    {"num.partitions", kInt, "1", "Partitions of a topic created without.", 1,
     kIntMax},
    {"default.replication.factor", kInt, "1",
     "Replicas of a topic created without.", 1, INT16_MAX},
    {"min.insync.replicas", kInt, "1",
     "Replicas that must be in sync for an acks=all write.", 1, kIntMax},
    {"auto.create.topics.enable", kBool, "true",
     "Whether a topic comes to be when a client first asks for it."},
    {"delete.topic.enable", kBool, "true", "Whether topics may be deleted."},
    {"unclean.leader.election.enable", kBool, "false",
     "Whether a replica out of sync may lead when no other is left."},
    // Groups.
    {"offsets.topic.num.partitions", kInt, "50",
     "Partitions of __consumer_offsets.", 1, kIntMax},
    {"offsets.topic.replication.factor", kInt, "3",
     "Replicas of __consumer_offsets.", 1, INT16_MAX},
    {"offsets.topic.segment.bytes", kInt, "104857600",
     "Segment size of __consumer_offsets.", 1, kIntMax},
    {"offsets.retention.minutes", kInt, "10080",
     "How long offsets of an empty group are kept.", 1, kIntMax},
    {"offsets.retention.check.interval.ms", kLong, "600000",
     "How often offsets are checked for expiry.", 1, kLongMax},
    {"offset.metadata.max.bytes", kInt, "4096",
     "Longest metadata string committed with an offset.", 0, kIntMax},
    {"offsets.commit.timeout.ms", kInt, "5000",
     "How long a commit may wait for its replicas.", 1, kIntMax},
    {"group.initial.rebalance.delay.ms", kInt, "3000",
     "How long the first rebalance of an empty group waits for members.", 0,
     kIntMax},
    {"group.min.session.timeout.ms", kInt, "6000",
     "Shortest session timeout a member may ask for.", 0, kIntMax},
    {"group.max.session.timeout.ms", kInt, "1800000",
     "Longest session timeout a member may ask for.", 0, kIntMax},
    {"group.max.size", kInt, "2147483647", "Most members of a group.", 1,
     kIntMax},
    // Transactions.
    {"transaction.max.timeout.ms", kInt, "900000",
     "Longest transaction.timeout.ms that a producer may ask for.", 1, kIntMax},
    {"transactional.id.expiration.ms", kLong, "604800000",
     "How long a transactional id that nobody uses is remembered.", 1,
     kLongMax},
    {"transaction.remove.expired.transaction.cleanup.interval.ms", kInt,
     "3600000", "How often such ids are looked for.", 1, kIntMax},
    {"transaction.state.log.num.partitions", kInt, "50",
     "Partitions of __transaction_state.", 1, kIntMax},
    {"transaction.state.log.replication.factor", kInt, "3",
     "Replicas of __transaction_state.", 1, INT16_MAX},
    {"transaction.state.log.min.isr", kInt, "2",
     "Replicas of __transaction_state that must be in sync.", 1, kIntMax},
    {"transaction.state.log.segment.bytes", kInt, "104857600",
     "Segment size of __transaction_state.", 1, kIntMax},
    {"tidemark.groups.max.bytes", kLong, "-1",
     "Memory for the members and offsets of groups and for transactional ids; "
     "at this bound new ones are refused until there is room. -1: an eighth of "
     "the memory.",
     -1, kLongMax},
    // The cluster.
    {"broker.heartbeat.interval.ms", kInt, "500",
     "How often this broker reports to the controllers.", 1, kIntMax},
    {"broker.session.timeout.ms", kInt, "2000",
     "How long the controllers wait for a report, and a leader that hears of"
     " nobody accepts writes; set it there too.",
     1, kIntMax},
    {"controlled.shutdown.enable", kBool, "true",
     "Whether SIGTERM moves leaders away before stopping."},
    {"controlled.shutdown.timeout.ms", kInt, "30000",
     "How long SIGTERM waits for that.", 0, kIntMax},
    // Replication.
    {"replica.lag.time.max.ms", kLong, "30000",
     "How long a replica may stay behind before it leaves the ISR.", 1,
     kLongMax},
    {"replica.fetch.wait.max.ms", kInt, "500",
     "How long a leader holds a follower's fetch.", 0, kIntMax},
    {"replica.fetch.min.bytes", kInt, "1",
     "Bytes that answer a follower's fetch at once.", 0, kIntMax},
    {"replica.fetch.max.bytes", kInt, "1048576",
     "Most bytes of a partition in a follower's fetch.", 0, kIntMax},
    {"replica.fetch.response.max.bytes", kInt, "10485760",
     "Most bytes of a follower's fetch.", 0, kIntMax},
    {"replica.fetch.backoff.ms", kInt, "1000",
     "Longest pause after a partition's failed fetch; the first are shorter.",
     1, kIntMax},
    {"replica.socket.timeout.ms", kInt, "5000",
     "How long a follower waits for an answer beyond what its fetch may take.",
     1, kIntMax},
    {"replica.high.watermark.checkpoint.interval.ms", kLong, "5000",
     "How often high watermarks are saved.", 1, kLongMax},
    {"fetch.max.bytes", kInt, "57671680", "Most bytes of any fetch.", 1024,
     kIntMax},
    {"max.incremental.fetch.session.cache.slots", kInt, "1000",
     "Most incremental fetch sessions.", 0, kIntMax},
    // The network.
    {"socket.request.max.bytes", kInt, "104857600", "Largest request.", 1,
     kIntMax},
    {"connections.max.idle.ms", kLong, "600000",
     "How long a connection may be silent, or a request half sent.", 1,
     kLongMax},
    {"max.connections", kInt, "2147483647",
     "Most connections; further ones are closed at once. Never more than the "
     "limit of open files allows, less a quarter of it for logs.",
     0, kIntMax},
    {"max.connections.per.ip", kInt, "2147483647",
     "Most connections from one address.", 0, kIntMax},
    {"queued.max.request.bytes", kLong, "-1",
     "Bytes of requests in flight; at this bound connections are not read "
     "from. -1: an eighth of the memory.",
     -1, kLongMax},
    {"tidemark.queued.max.response.bytes", kLong, "-1",
     "Bytes of answers not yet sent; at this bound requests wait. -1: an "
     "eighth of the memory.",
     -1, kLongMax},
    {"telemetry.max.bytes", kInt, "1048576",
     "Most bytes of a client's metrics in one request.", 1, kIntMax},
    {"tidemark.log.cleaner.share", kDouble, "0.1",
     "Of its time that a cleaner works while anybody writes; 1: all of it."},
    {"tidemark.batch.cache.bytes", kLong, "8388608",
     "Memory for the newest batches, from which followers and consumers at the "
     "end of a log are served. 0: none.",
     0, 1LL << 40},
    {"max.request.partition.size.limit", kInt, "2000",
     "Most partitions in one answer to DescribeTopicPartitions.", 1, kIntMax},
    {"tidemark.coordinator.snapshot.min.bytes", kLong, "16777216",
     "A log of __consumer_offsets of this size or less is left as it is.", 0,
     kLongMax},
    {"tidemark.coordinator.snapshot.dead.ratio", kInt, "2",
     "How many times what is live what is dead may take before what is live "
     "is written anew and the log trimmed to it.",
     1, kIntMax},
    {"tidemark.shards", kInt, "0",
     "Threads that serve partitions; 0: by the number of cores.", 0, 256},
};

// Read by no code of the broker; a test compares these lists with what is.
constexpr std::string_view kWithoutEffect[] = {
    // Kafka's names for what topic settings without effect default to.
    "compression.type", "log.index.size.max.bytes"};
constexpr std::string_view kOfControllers[] = {
    "broker.session.timeout.ms", "process.roles",
    "unclean.leader.election.enable"};

Status CheckEffects(const Config& config) {
  for (const ConfigKey& key : BrokerConfigKeys()) {
    if (!config.IsSet(key.name)) continue;
    TM_RETURN_IF_ERROR(
        metadata::CheckHasEffect(key.name, config.GetString(key.name)));
  }
  return {};
}

struct HostPort {
  std::string host;
  uint16_t port;
};

tl::unexpected<Error> Invalid(std::string_view key, std::string_view value,
                              std::string_view wanted) {
  return Fail(ErrorCode::kInvalidConfig,
              "Invalid value '" + std::string(value) + "' for configuration " +
                  std::string(key) + ": must be " + std::string(wanted));
}

// "host:port", "[v6]:port", ":port".
std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return HostPort{std::string(host), port};
}

Result<std::vector<Listener>> ParseListeners(const Config& config,
                                             std::string_view key) {
  std::vector<Listener> listeners;
  for (const std::string& entry : config.GetList(key)) {
    const size_t scheme = entry.find("://");
    const auto address =
        scheme == std::string::npos || scheme == 0
            ? std::nullopt
            : ParseHostPort(std::string_view(entry).substr(scheme + 3));
    if (!address) return Invalid(key, entry, "NAME://host:port");
    listeners.push_back(
        {entry.substr(0, scheme), address->host, address->port});
  }
  return listeners;
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') {
    return "localhost";
  }
  return name;
}

bool IsWildcard(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

Status CheckNames(std::string_view key,
                  const std::vector<Listener>& listeners) {
  std::set<std::string> names;
  for (const Listener& listener : listeners) {
    if (!names.insert(ToLower(listener.name)).second) {
      return Invalid(key, listener.name, "listeners with different names");
    }
  }
  return {};
}

const Listener* Find(const std::vector<Listener>& listeners,
                     const std::string& name) {
  for (const Listener& listener : listeners) {
    if (listener.name == name) return &listener;
  }
  return nullptr;
}

Status ReadProtocol(const Config& config, Listener* listener) {
  TM_ASSIGN_OR_RETURN(const auto protocol,
                      ProtocolOfListener(config, listener->name));
  if (!protocol) {
    return Invalid(
        "listeners", listener->name,
        "a listener with an entry in listener.security.protocol.map");
  }
  listener->protocol = *protocol;
  if (listener->protocol == "PLAINTEXT" || SpeaksTls(*listener) ||
      listener->protocol == "SASL_PLAINTEXT") {
    return {};
  }
  return Invalid("listeners", listener->name + " (" + listener->protocol + ")",
                 "a listener whose protocol in listener.security.protocol.map "
                 "is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL");
}

Status CheckTlsIsSpoken(const Config& config, const BrokerConfig& out) {
  std::set<std::string> spoken = rpc::ListenersOfHttp(config);
  for (const Listener& listener : out.listeners) {
    if (SpeaksTls(listener)) spoken.insert(ToLower(listener.name));
  }
  if (out.controllers_by.tls) {
    spoken.insert(ToLower(out.controllers_by.listener));
  }
  return tls::CheckIsSpoken(config, spoken);
}

Status ReadInterBrokerListener(const Config& config, BrokerConfig* out) {
  constexpr char kKey[] = "inter.broker.listener.name";
  out->inter_broker_listener = config.GetString(kKey);
  const Listener* found = Find(out->listeners, out->inter_broker_listener);
  if (found == nullptr && !config.IsSet(kKey)) {
    const auto plain =
        std::ranges::find(out->listeners, "PLAINTEXT", &Listener::protocol);
    if (plain != out->listeners.end()) found = &*plain;
  }
  if (found == nullptr) {
    return Invalid(kKey, out->inter_broker_listener,
                   "one of the names in listeners");
  }
  if (SpeaksSasl(*found)) {
    return Invalid(kKey, found->name,
                   "a listener whose protocol is PLAINTEXT or SSL: brokers do "
                   "not speak SASL to each other yet");
  }
  out->inter_broker_listener = found->name;
  return {};
}

Status ReadListeners(const Config& config, BrokerConfig* out) {
  TM_ASSIGN_OR_RETURN(out->listeners, ParseListeners(config, "listeners"));
  const auto controllers = config.GetList("controller.listener.names");
  auto is_controller = [&](const Listener& listener) {
    return std::ranges::count(controllers, listener.name) > 0;
  };
  std::erase_if(out->listeners, is_controller);
  if (out->listeners.empty()) {
    return Invalid("listeners", config.GetString("listeners"),
                   "at least one NAME://host:port");
  }
  TM_RETURN_IF_ERROR(CheckNames("listeners", out->listeners));
  TM_ASSIGN_OR_RETURN(out->controllers_by, ProtocolOfControllers(config));
  for (Listener& listener : out->listeners) {
    TM_RETURN_IF_ERROR(ReadProtocol(config, &listener));
  }
  TM_RETURN_IF_ERROR(CheckTlsIsSpoken(config, *out));
  TM_RETURN_IF_ERROR(CheckSasl(config, out->listeners));
  TM_ASSIGN_OR_RETURN(auto advertised,
                      ParseListeners(config, "advertised.listeners"));
  std::erase_if(advertised, is_controller);
  TM_RETURN_IF_ERROR(CheckNames("advertised.listeners", advertised));
  for (const Listener& listener : advertised) {
    if (Find(out->listeners, listener.name) == nullptr) {
      return Invalid("advertised.listeners", listener.name,
                     "one of the names in listeners");
    }
    if (IsWildcard(listener.host)) {
      return Invalid("advertised.listeners", listener.host,
                     "an address that clients can connect to");
    }
  }
  for (const Listener& listener : out->listeners) {
    const Listener* found = Find(advertised, listener.name);
    Listener entry = found != nullptr ? *found : listener;
    entry.protocol = listener.protocol;
    if (IsWildcard(entry.host)) entry.host = HostName();
    out->advertised_listeners.push_back(std::move(entry));
  }
  return ReadInterBrokerListener(config, out);
}

Status ReadControllers(const Config& config, BrokerConfig* out) {
  for (std::string entry : config.GetList("controller.quorum.voters")) {
    const size_t at = entry.find('@');
    const auto address =
        at == std::string::npos
            ? std::nullopt
            : ParseHostPort(std::string_view(entry).substr(at + 1));
    if (!address || address->host.empty()) {
      return Invalid("controller.quorum.voters", entry, "id@host:port");
    }
    out->controllers.push_back(entry.substr(at + 1));
  }
  for (std::string entry :
       config.GetList("controller.quorum.bootstrap.servers")) {
    const auto address = ParseHostPort(entry);
    if (!address || address->host.empty()) {
      return Invalid("controller.quorum.bootstrap.servers", entry, "host:port");
    }
    if (std::ranges::count(out->controllers, entry) == 0) {
      out->controllers.push_back(std::move(entry));
    }
  }
  if (out->controllers.empty()) {
    return Fail(ErrorCode::kInvalidConfig,
                "missing required configuration controller.quorum.voters (the "
                "controllers: id@host:port, comma separated)");
  }
  std::vector<std::string> hosts;
  for (const std::string& address : out->controllers) {
    hosts.push_back(ParseHostPort(address)->host);
  }
  return CheckPlaintextIsMeant(out->controllers_by, hosts);
}

// Kafka's coarser spellings of a setting, folded into the one that is read.
void Fold(const Config& config, std::string_view into, std::string_view from,
          int64_t factor, std::map<std::string, std::string>* values) {
  if (config.IsSet(into) || !config.IsSet(from)) return;
  const int64_t value = config.GetInt(from);
  (*values)[std::string(into)] =
      std::to_string(value < 0 ? value : value * factor);
}

// Half of the cores: the other half syncs, loads, compresses for clients on the
// same machine, and serves the controllers.
int DefaultShards() {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores / 2, 1, 256);
}

}  // namespace

std::span<const ConfigKey> BrokerConfigKeys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all(std::begin(kKeys), std::end(kKeys));
    for (const auto& more : {tls::ConfigKeys(), authorization::ConfigKeys(),
                             AuthenticationConfigKeys(), rpc::HttpKeys()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }();
  return keys;
}

std::vector<std::string_view> BrokerKeysWithoutEffect() {
  return {std::begin(kWithoutEffect), std::end(kWithoutEffect)};
}

std::vector<std::string_view> BrokerKeysOfControllers() {
  return {std::begin(kOfControllers), std::end(kOfControllers)};
}

Result<BrokerConfig> BrokerConfig::Parse(Config config) {
  BrokerConfig out;
  out.node_id = static_cast<NodeId>(
      config.GetInt(config.IsSet("node.id") ? "node.id" : "broker.id"));
  if (out.node_id < 0) {
    return Fail(ErrorCode::kInvalidConfig,
                "missing required configuration node.id (the id of this "
                "broker, 0 or above, unique in the cluster)");
  }
  TM_RETURN_IF_ERROR(CheckEffects(config));
  out.rack = config.GetString("broker.rack");
  TM_ASSIGN_OR_RETURN(out.authorizer, authorization::ReadSettings(config));
  TM_RETURN_IF_ERROR(ReadListeners(config, &out));
  TM_RETURN_IF_ERROR(ReadControllers(config, &out));
  out.log_dirs =
      config.GetList(config.IsSet("log.dirs") ? "log.dirs" : "log.dir");
  if (out.log_dirs.empty()) {
    return Fail(ErrorCode::kInvalidConfig,
                "missing required configuration log.dirs (directories of the "
                "data)");
  }
  out.shards = static_cast<int>(config.GetInt("tidemark.shards"));
  if (out.shards == 0) out.shards = DefaultShards();
  for (const ConfigKey& key : BrokerConfigKeys()) {
    if (config.IsSet(key.name)) {
      out.static_values_[std::string(key.name)] = config.GetString(key.name);
    }
  }
  constexpr int64_t kMinuteMs = 60'000;
  Fold(config, "log.retention.ms", "log.retention.minutes", kMinuteMs,
       &out.static_values_);
  if (!config.IsSet("log.retention.minutes")) {
    Fold(config, "log.retention.ms", "log.retention.hours", 60 * kMinuteMs,
         &out.static_values_);
  }
  Fold(config, "log.roll.ms", "log.roll.hours", 60 * kMinuteMs,
       &out.static_values_);
  out.config_ = std::move(config);
  return out;
}

}  // namespace tidemark
