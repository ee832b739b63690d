#include "controller/console/controller_config.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <set>

#include "common/authorization/settings.h"
#include "common/base/plaintext.h"
#include "common/metadata/configs.h"
#include "common/tls/config_keys.h"

namespace tidemark::controller {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

constexpr ConfigKey kOwnKeys[] = {
    {"process.roles", ConfigType::kList, "controller",
     "Roles of this process; tidemark-controller has one.", 1, 0, "controller"},
    {"node.id", ConfigType::kInt, "", "Id of this controller.", 0, kMaxInt, "",
     true},
    {"cluster.id", ConfigType::kString, "",
     "Refuse a directory of another cluster."},
    {"controller.quorum.voters", ConfigType::kString, "",
     "All controllers, until their log says who they are: id@host:port, "
     "separated by commas."},
    {"controller.quorum.bootstrap.servers", ConfigType::kList, "",
     "Controllers that let this one into their quorum: host:port."},
    {"controller.quorum.auto.join.enable", ConfigType::kBool, "false",
     "Vote as soon as it has caught up, without tidemark quorum add."},
    {"listeners", ConfigType::kList, "",
     "CONTROLLER://host:port to listen on; this controller's address among "
     "the voters if not set."},
    {"advertised.listeners", ConfigType::kList, "",
     "CONTROLLER://host:port where the other controllers reach this one; "
     "listeners, or its address among the voters, if not set."},
    {"controller.listener.names", ConfigType::kList, "CONTROLLER",
     "Name of the listener for controllers, brokers and operators."},
    {"listener.security.protocol.map", ConfigType::kList, "",
     "Security protocol of each listener name, NAME:PROTOCOL; a controller's "
     "is PLAINTEXT or SSL."},
    {"inter.broker.listener.name", ConfigType::kString, "",
     "Accepted; of use to brokers only."},
    {"metadata.log.dir", ConfigType::kString, "",
     "Data directory; the first of log.dirs if not set."},
    {"log.dirs", ConfigType::kList, "", "Data directories."},
    {"log.dir", ConfigType::kString, "", "Data directory."},
    {"http.host", ConfigType::kString, "0.0.0.0",
     "Address of /livez, /readyz and /metrics."},
    {"http.port", ConfigType::kInt, "9644",
     "Port of /livez, /readyz and /metrics; -1: none.", -1, 65535},
    {"broker.session.timeout.ms", ConfigType::kInt, "2000",
     "A broker not heard of for so long is fenced.", 100, kMaxInt},
    {"broker.heartbeat.interval.ms", ConfigType::kInt, "500",
     "How often brokers report.", 10, kMaxInt},
    {"broker.reconnect.grace.ms", ConfigType::kInt, "300",
     "A broker whose metadata feed broke and is not back in time is fenced.", 0,
     kMaxInt},
    {"broker.suspicion.timeout.ms", ConfigType::kInt, "700",
     "A broker not heard of for so long, of which another broker gets no "
     "answer "
     "either, is fenced.",
     100, kMaxInt},
    {"controller.quorum.tick.ms", ConfigType::kInt, "50",
     "Interval of the quorum's heartbeats.", 5, 10'000},
    {"controller.quorum.election.timeout.ms", ConfigType::kInt, "300",
     "Silence after which another leader is sought; up to twice that.", 20,
     600'000},
    {"tidemark.metadata.disk.timeout.ms", ConfigType::kInt, "30000",
     "A write of the metadata that takes longer ends the process.", 1'000,
     kMaxInt},
    {"metadata.max.idle.interval.ms", ConfigType::kInt, "60000",
     "The log moves at least so often.", 100, kMaxInt},
    {"auto.leader.rebalance.enable", ConfigType::kBool, "true",
     "Move leadership back to preferred replicas."},
    {"leader.imbalance.check.interval.seconds", ConfigType::kInt, "300",
     "How often.", 1, kMaxInt},
    {"default.replication.factor", ConfigType::kInt, "1",
     "Replicas of a new topic that does not say.", 1, 32767},
    {"num.partitions", ConfigType::kInt, "1",
     "Partitions of a new topic that does not say.", 1, 10'000},
    {"delete.topic.enable", ConfigType::kBool, "true",
     "Whether topics may be deleted; set it in the brokers' files too."},
    {"log.retention.hours", ConfigType::kInt, "168",
     "Default of retention.ms, in hours.", -1, kMaxInt},
    {"log.retention.minutes", ConfigType::kInt, "", "The same in minutes.", -1,
     kMaxInt},
    {"log.roll.hours", ConfigType::kInt, "168",
     "Default of segment.ms, in hours.", 1, kMaxInt},
    {"log.roll.jitter.hours", ConfigType::kInt, "0",
     "Default of segment.jitter.ms, in hours.", 0, kMaxInt},
    {"offsets.topic.replication.factor", ConfigType::kInt, "3",
     "Accepted; of use to brokers only.", 1, 32767},
    {"offsets.topic.num.partitions", ConfigType::kInt, "50",
     "Accepted; of use to brokers only.", 1, kMaxInt},
    {"transaction.state.log.replication.factor", ConfigType::kInt, "3",
     "Accepted; of use to brokers only.", 1, 32767},
    {"transaction.state.log.min.isr", ConfigType::kInt, "2",
     "Accepted; of use to brokers only.", 1, 32767},
    {"group.initial.rebalance.delay.ms", ConfigType::kInt, "3000",
     "Accepted; of use to brokers only.", 0, kMaxInt},
    {"auto.create.topics.enable", ConfigType::kBool, "true",
     "Accepted; of use to brokers only."},
};

tl::unexpected<Error> Bad(const std::string& what) {
  return Fail(ErrorCode::kInvalidConfig, what);
}

struct Address {
  std::string host;
  uint16_t port = 0;
};

// "host:port" or "[v6]:port"; the host may be empty.
std::optional<Address> ParseAddress(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Address out;
  std::string_view host = text.substr(0, colon);
  std::string_view port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  out.host = std::string(host);
  const char* end = port.data() + port.size();
  auto [stop, error] = std::from_chars(port.data(), end, out.port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return out;
}

// The controller's one among the listeners in `key`; nullopt: there is none.
Result<std::optional<Address>> FindListener(const Config& config,
                                            const std::string& key) {
  auto listeners = config.GetList(key);
  auto names = config.GetList("controller.listener.names");
  // The first of the names, whose protocol is spoken.
  std::vector<std::string> found;
  for (const std::string& name : names) {
    std::ranges::copy_if(listeners, std::back_inserter(found),
                         [&](const std::string& listener) {
                           return listener.starts_with(name + "://");
                         });
  }
  for (const std::string& listener : found) {
    const size_t split = listener.find("://");
    auto address = ParseAddress(std::string_view(listener).substr(split + 3));
    if (!address) {
      return Bad("Invalid value '" + listener + "' for configuration " + key +
                 ": must be NAME://host:port");
    }
    return address;
  }
  return std::nullopt;
}

bool IsAnyAddress(const Address& address) {
  return address.host.empty() || address.host == "0.0.0.0" ||
         address.host == "::";
}

// Where it listens and where others reach it. `self`: its address among the
// voters, if it is one.
Status ReadAddresses(const Config& config, const quorum::Voter* self,
                     ControllerConfig* out) {
  TM_ASSIGN_OR_RETURN(auto listen, FindListener(config, "listeners"));
  TM_ASSIGN_OR_RETURN(auto reached,
                      FindListener(config, "advertised.listeners"));
  const bool named = !config.GetList("listeners").empty();
  if (!listen && (named || self == nullptr))
    return Bad(
        "Invalid configuration listeners: none is named in "
        "controller.listener.names (CONTROLLER://host:port)");
  if (!listen) listen = Address{self->host, self->port};
  if (self != nullptr) reached = Address{self->host, self->port};
  if (!reached) reached = listen;
  if (IsAnyAddress(*reached) || reached->port == 0)
    return Bad(
        "Invalid configuration advertised.listeners: the other controllers "
        "cannot reach this one at '" +
        reached->host + ":" + std::to_string(reached->port) +
        "' (CONTROLLER://host:port)");
  if (listen->host.empty()) listen->host = "0.0.0.0";
  out->listen_host = listen->host;
  out->listen_port = listen->port;
  out->advertised_host = reached->host;
  out->advertised_port = reached->port;
  return {};
}

Status ReadBootstrapServers(const Config& config, ControllerConfig* out) {
  for (const std::string& entry :
       config.GetList("controller.quorum.bootstrap.servers")) {
    auto address = ParseAddress(entry);
    if (!address || address->host.empty() || address->port == 0)
      return Bad("Invalid value '" + entry +
                 "' for configuration controller.quorum.bootstrap.servers: "
                 "must be host:port,...");
    out->bootstrap_servers.push_back({kNoNode, address->host, address->port});
  }
  return {};
}

// gRPC's server takes no versions and ciphers, and asks for certificates
// always: who has wished for something else must hear of it.
Status CheckTlsSettings(const Config& config, const std::string& listener) {
  const std::string own = "listener.name." + ToLower(listener) + ".";
  if (config.IsSet(own + "ssl.client.auth") &&
      config.GetOfListener(listener, "ssl.client.auth") != "required")
    return Bad("Invalid configuration " + own +
               "ssl.client.auth: must be required, which it is anyway");
  if (config.GetListOfListener(listener, "ssl.enabled.protocols").size() != 2)
    return Bad(
        "Invalid configuration ssl.enabled.protocols: must be "
        "TLSv1.2,TLSv1.3 for a controller");
  if (!config.GetListOfListener(listener, "ssl.cipher.suites").empty())
    return Bad(
        "Invalid configuration ssl.cipher.suites: must be empty for a "
        "controller");
  return {};
}

Status ReadSecurity(const Config& config, ControllerConfig* out) {
  TM_ASSIGN_OR_RETURN(const ControllerProtocol protocol,
                      ProtocolOfControllers(config));
  // It is spoken to there, and speaks to those.
  std::vector<std::string> hosts = {out->listen_host};
  for (const auto* nodes : {&out->voters, &out->bootstrap_servers}) {
    for (const quorum::Voter& node : *nodes) hosts.push_back(node.host);
  }
  TM_RETURN_IF_ERROR(CheckPlaintextIsMeant(protocol, hosts));
  std::set<std::string> spoken = rpc::ListenersOfHttp(config);
  if (protocol.tls) spoken.insert(ToLower(protocol.listener));
  TM_RETURN_IF_ERROR(tls::CheckIsSpoken(config, spoken));
  if (!protocol.tls) return {};
  TM_RETURN_IF_ERROR(CheckTlsSettings(config, protocol.listener));
  out->tls = tls::SettingsOf(config, protocol.listener);
  TM_ASSIGN_OR_RETURN(out->certificate_roles,
                      tls::CertificateRoles::Parse(config.GetOfListener(
                          protocol.listener, "tidemark.certificate.roles")));
  return {};
}

Result<std::string> DataDirectory(const Config& config) {
  if (config.IsSet("metadata.log.dir")) {
    return config.GetString("metadata.log.dir");
  }
  auto directories = config.GetList("log.dirs");
  if (!directories.empty()) return directories[0];
  if (config.IsSet("log.dir")) return config.GetString("log.dir");
  return Bad(
      "missing required configuration metadata.log.dir (data directory)");
}

void FillOptions(const Config& config, NodeId self, ControllerOptions* out) {
  using std::chrono::milliseconds;
  out->self = self;
  out->liveness.session = config.GetMs("broker.session.timeout.ms");
  out->liveness.reconnect_grace = config.GetMs("broker.reconnect.grace.ms");
  out->liveness.suspicion = config.GetMs("broker.suspicion.timeout.ms");
  out->balance_leaders = config.GetBool("auto.leader.rebalance.enable");
  out->balance_interval = std::chrono::seconds(
      config.GetInt("leader.imbalance.check.interval.seconds"));
  out->max_idle = config.GetMs("metadata.max.idle.interval.ms");
  Settings& settings = out->settings;
  settings.default_replication_factor =
      static_cast<int32_t>(config.GetInt("default.replication.factor"));
  settings.default_partitions =
      static_cast<int32_t>(config.GetInt("num.partitions"));
  for (const ConfigKey& key : config.keys()) {
    // Whoever asks for settings is shown these.
    if (!config.IsSet(key.name) || key.type == ConfigType::kPassword) continue;
    settings.static_configs[std::string(key.name)] = config.GetString(key.name);
  }
}

}  // namespace

std::span<const ConfigKey> ControllerConfigKeys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> out(std::begin(kOwnKeys), std::end(kOwnKeys));
    auto broker = metadata::DynamicBrokerConfigKeys();
    out.insert(out.end(), broker.begin(), broker.end());
    auto tls = tls::ConfigKeys();
    out.insert(out.end(), tls.begin(), tls.end());
    const auto clients = authorization::ConfigKeys();
    out.insert(out.end(), clients.begin(), clients.end());
    auto http = rpc::HttpKeys();
    out.insert(out.end(), http.begin(), http.end());
    return out;
  }();
  return keys;
}

Result<std::vector<quorum::Voter>> ParseVoters(const std::string& text) {
  std::vector<quorum::Voter> out;
  std::set<NodeId> ids;
  std::set<std::pair<std::string, uint16_t>> addresses;
  std::string_view rest = text;
  auto bad = [&] {
    return Bad(
        "Invalid value '" + text +
        "' for configuration controller.quorum.voters: must be "
        "id@host:port,id@host:port,... with different ids and addresses");
  };
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    std::string_view entry = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    size_t at = entry.find('@');
    if (at == std::string_view::npos) return bad();
    NodeId id = kNoNode;
    auto [stop, error] = std::from_chars(entry.data(), entry.data() + at, id);
    auto address = ParseAddress(entry.substr(at + 1));
    if (error != std::errc() || stop != entry.data() + at || id < 0 ||
        !address || address->host.empty() || address->port == 0 ||
        !ids.insert(id).second ||
        !addresses.insert({address->host, address->port}).second) {
      return bad();
    }
    out.push_back({id, address->host, address->port});
  }
  if (out.empty()) return bad();
  return out;
}

Result<ControllerConfig> MakeControllerConfig(const Config& config) {
  ControllerConfig out;
  out.node_id = static_cast<NodeId>(config.GetInt("node.id"));
  const std::string voters = config.GetString("controller.quorum.voters");
  TM_RETURN_IF_ERROR(ReadBootstrapServers(config, &out));
  if (!voters.empty()) {
    TM_ASSIGN_OR_RETURN(out.voters, ParseVoters(voters));
  } else if (!config.IsSet("controller.quorum.bootstrap.servers")) {
    return Bad(
        "missing required configuration controller.quorum.voters, or "
        "controller.quorum.bootstrap.servers");
  }
  out.auto_join = config.GetBool("controller.quorum.auto.join.enable");
  const quorum::Voter* self = nullptr;
  for (const quorum::Voter& voter : out.voters)
    if (voter.id == out.node_id) self = &voter;
  if (self == nullptr && !out.voters.empty()) {
    return Bad("node.id " + std::to_string(out.node_id) +
               " is not among controller.quorum.voters");
  }
  // The brokers' to act on.
  if (auto checked = authorization::ReadSettings(config); !checked) {
    return Fail(checked.error());
  }
  for (const ConfigKey& key : config.keys()) {
    if (!config.IsSet(key.name)) continue;
    TM_RETURN_IF_ERROR(
        metadata::CheckHasEffect(key.name, config.GetString(key.name)));
  }
  TM_RETURN_IF_ERROR(ReadAddresses(config, self, &out));
  TM_RETURN_IF_ERROR(ReadSecurity(config, &out));
  TM_ASSIGN_OR_RETURN(out.data_directory, DataDirectory(config));
  if (const int64_t port = config.GetInt("http.port"); port >= 0) {
    TM_ASSIGN_OR_RETURN(
        out.http, rpc::HttpSettingsOf(config, static_cast<uint16_t>(port)));
  }
  out.tick_ms = config.GetInt("controller.quorum.tick.ms");
  int64_t election = config.GetInt("controller.quorum.election.timeout.ms");
  if (election < 3 * out.tick_ms) {
    return Bad(
        "controller.quorum.election.timeout.ms must be at least three times "
        "controller.quorum.tick.ms");
  }
  out.election_ticks_min = static_cast<uint32_t>(election / out.tick_ms);
  out.election_ticks_max = 2 * out.election_ticks_min;
  out.disk_timeout_ms = config.GetInt("tidemark.metadata.disk.timeout.ms");
  FillOptions(config, out.node_id, &out.options);
  out.options.settings.cluster_id = config.GetString("cluster.id");
  return out;
}

}  // namespace tidemark::controller
