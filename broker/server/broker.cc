#include "broker/server/broker.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <random>
#include <system_error>

#include "broker/kafka/audit_log.h"
#include "broker/kafka/dispatcher.h"
#include "broker/kafka/handlers/table.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/kafka/producer_id_allocator.h"
#include "broker/metadata/controller_channels.h"
#include "broker/replication/peer_connection.h"
#include "broker/server/audit_file.h"
#include "broker/server/broker_core.h"
#include "broker/server/broker_metrics.h"
#include "broker/server/listener_identity.h"
#include "common/authorization/authorizer.h"
#include "common/io/event_loop.h"
#include "common/io/meta_properties.h"
#include "common/io/resources.h"
#include "common/rpc/http_endpoint.h"
#include "common/rpc/security.h"
#include "common/rpc/systemd.h"
#include "common/tls/config_keys.h"
#include "common/tls/reload.h"

namespace tidemark::server {
namespace {

// Enough for what a shard opens at once (a roll, a cold read), for each of
// them, and a sync of a directory beside.
constexpr size_t kReservedDescriptors = 64;
// That, what the process itself needs, and a few connections.
constexpr size_t kLeastDescriptors = 128;

// Threads that wait for the disk when what somebody reads is not in the page
// cache, so that no shard does.
constexpr int kDiskReaders = 4;

// What is left is for clients, other brokers and controllers.
size_t MostFiles(size_t descriptors) {
  return descriptors -
         std::max(descriptors / 4, std::min<size_t>(descriptors / 2, 128));
}

ListenerOptions OptionsOf(const Listener& listener, const Config& config) {
  ListenerOptions options;
  options.name = listener.name;
  options.host = listener.host;
  options.port = listener.port;
  options.max_request_bytes =
      static_cast<size_t>(config.GetInt("socket.request.max.bytes"));
  options.max_idle = config.GetMs("connections.max.idle.ms");
  return options;
}

// What has run out at the start (descriptors of the whole machine, space) may
// be there again in a moment. A disk that is broken is not waited for.
template <class Attempt>
auto WithPatience(const Broker::Pause& pause_for, const Attempt& attempt) {
  constexpr Duration kPatience = std::chrono::seconds(30);
  constexpr Duration kLongestPause = std::chrono::seconds(2);
  const Instant began = SystemClock().Now();
  Duration pause = std::chrono::milliseconds(50);
  while (true) {
    auto done = attempt();
    if (done || !io::IsShortage(done.error()) ||
        SystemClock().Now() - began >= kPatience) {
      return done;
    }
    LOG(WARNING) << "the start waits error=\"" << done.error().message << '"';
    if (!pause_for(pause)) return done;
    pause = std::min(2 * pause, kLongestPause);
  }
}

int64_t MostConnections() {
  return ConnectionLimits::WithinDescriptors(io::DescriptorLimit());
}

Admission::Options AdmissionOptions(const Config& config) {
  Admission::Options options;
  const int64_t most = MostConnections();
  options.max_connections = std::min(config.GetInt("max.connections"), most);
  if (options.max_connections == most) {
    LOG(INFO) << "limit of open files caps connections max.connections=" << most
              << " open_files=" << io::DescriptorLimit();
  }
  options.max_connections_per_address = config.GetInt("max.connections.per.ip");
  options.request_bytes =
      io::MemoryShare(config.GetInt("queued.max.request.bytes"));
  options.answer_bytes =
      io::MemoryShare(config.GetInt("tidemark.queued.max.response.bytes"));
  return options;
}

// How this broker speaks to controllers; nullptr: in plaintext.
Result<rpc::SecurityPtr> OpenSecurity(const BrokerConfig& config) {
  const ControllerProtocol& protocol = config.controllers_by;
  if (!protocol.tls) return rpc::SecurityPtr();
  const Config& raw = config.raw();
  TM_ASSIGN_OR_RETURN(auto roles,
                      tls::CertificateRoles::Parse(raw.GetOfListener(
                          protocol.listener, "tidemark.certificate.roles")));
  auto opened =
      rpc::Security::Open(tls::SettingsOf(raw, protocol.listener), roles);
  if (!opened) {
    return Fail(opened.error().code, "listener " + protocol.listener + ": " +
                                         opened.error().message);
  }
  // Controllers would refuse every call of it.
  const tls::Holder self = roles.HolderOf((*opened)->material()->chain);
  if (!self.Is(tls::Role::kBroker, config.node_id)) {
    return Fail(ErrorCode::kInvalidConfig,
                "listener " + protocol.listener +
                    ": ssl.keystore: the certificate is of " + self.Describe() +
                    ", not of broker " + std::to_string(config.node_id) +
                    " (docs/security.md)");
  }
  return opened;
}

}  // namespace

struct Broker::Impl {
  explicit Impl(BrokerConfig c)
      : config(std::move(c)), admission(AdmissionOptions(config.raw())) {}

  Status OpenDirectories();
  Status OpenDirectory(const std::string& dir);
  Status CheckDirectories() const;
  Status OpenCore(const Pause& pause);
  Status OpenAuthorizer();
  void Assemble();
  Result<std::shared_ptr<tls::ContextSource>> OpenTls(const Listener& listener);
  Result<replication::PeerSecurity> OpenPeerSecurity();
  void WatchTls();
  Status OpenPorts();

  void OnFenced(bool now_fenced);
  Status Ready() const;
  std::string Metrics() const;
  void HandOverLeaderships();

  const BrokerConfig config;
  Failed failed;
  std::atomic<bool> fenced = true;
  std::atomic<bool> stopping = false;

  std::vector<std::unique_ptr<io::DirectoryLock>> locks;
  std::map<std::string, Uuid> directories;  // log dir -> its id, when known
  std::map<std::string, Error> broken;      // log dir -> why it is of no use
  // What runs on the loops may still use these when they end.
  NetworkMetrics network;
  Admission admission;
  // What clients may do; none: everything.
  std::optional<authorization::Authorizer> authorizer;
  std::unique_ptr<AuditFile> audit_file;
  std::unique_ptr<AuditLog> audit;
  // Of the listeners that have one.
  std::map<std::string, std::shared_ptr<tls::ContextSource>> tls;
  rpc::SecurityPtr security;  // towards controllers; none in plaintext
  std::shared_ptr<tls::ClientSource> tls_of_peers;  // the same of brokers
  std::vector<std::unique_ptr<io::EventLoop>> shards;
  std::vector<std::unique_ptr<io::EventLoop>> disk_readers;
  std::unique_ptr<io::EventLoop> control;
  std::unique_ptr<io::EventLoop> scrubber;    // none when it is switched off
  std::unique_ptr<io::EventLoop> peers;       // transactions at other brokers
  std::unique_ptr<io::EventLoop> handshakes;  // of TLS; none without
  std::shared_ptr<ControllerChannels> channels;
  std::unique_ptr<BrokerCore> core;
  std::unique_ptr<ProducerIdAllocator> producer_ids;
  std::unique_ptr<ClientTelemetry> telemetry;
  Services services;
  std::unique_ptr<Dispatcher> dispatcher;
  std::vector<std::unique_ptr<KafkaListener>> listeners;
  std::vector<metadata::EndpointImage> endpoints;
  std::unique_ptr<rpc::HttpEndpoint> http;
};

Status Broker::Impl::OpenDirectories() {
  locks.clear();
  directories.clear();
  broken.clear();
  for (const std::string& dir : config.log_dirs) {
    Status opened = OpenDirectory(dir);
    if (opened) continue;
    // A disk that is broken, or is not mounted, is no reason not to serve the
    // others; one that belongs to somebody else is.
    if (opened.error().code != ErrorCode::kKafkaStorageError) return opened;
    LOG(ERROR) << "log directory unusable dir=" << dir
               << " error=" << opened.error().message;
    broken[dir] = opened.error();
  }
  if (broken.size() == config.log_dirs.size())
    return Fail(broken.begin()->second);
  return CheckDirectories();
}

Status Broker::Impl::CheckDirectories() const {
  std::map<Uuid, std::string> by_id;
  for (const auto& [dir, id] : directories) {
    const auto [other, added] = by_id.emplace(id, dir);
    if (added) continue;
    return Fail(ErrorCode::kInvalidConfig,
                other->second + " and " + dir +
                    " have the same directory.id: one is a copy of the other; "
                    "take it out of log.dirs");
  }
  return {};
}

Status Broker::Impl::OpenDirectory(const std::string& dir) {
  const auto loaded =
      io::LoadMetaProperties(dir, services.cluster_id, config.node_id);
  if (!loaded && !io::IsMarked(dir, io::kMetaPropertiesFile)) {
    // An empty folder, or none: most likely where its disk should be.
    return Fail(io::IsShortage(loaded.error()) ? loaded.error().code
                                               : ErrorCode::kKafkaStorageError,
                loaded.error().message);
  }
  TM_ASSIGN_OR_RETURN(const io::MetaProperties properties, loaded);
  directories[dir] = properties.directory_id;
  services.cluster_id = properties.cluster_id;
  TM_ASSIGN_OR_RETURN(auto lock, io::DirectoryLock::Acquire(dir));
  locks.push_back(std::move(lock));
  return {};
}

Status Broker::Impl::OpenCore(const Pause& pause) {
  control = std::make_unique<io::EventLoop>("control");
  BrokerCore::Environment environment;
  for (int i = 0; i < config.shards; ++i) {
    shards.push_back(
        std::make_unique<io::EventLoop>("shard" + std::to_string(i)));
    environment.shards.push_back(shards.back().get());
  }
  for (int i = 0; i < kDiskReaders; ++i) {
    disk_readers.push_back(std::make_unique<io::EventLoop>("disk-reader"));
    environment.readers.push_back(disk_readers.back().get());
  }
  TM_ASSIGN_OR_RETURN(security, OpenSecurity(config));
  channels = std::make_shared<ControllerChannels>(config.controllers, security);
  environment.files = &io::PosixFileSystem();
  environment.boot = io::BootId();
  environment.control = control.get();
  if (config.raw().GetInt("log.scrub.bytes.per.second") > 0) {
    scrubber = std::make_unique<io::EventLoop>("scrub");
    environment.scrubber = scrubber.get();
  }
  environment.cleaner = &SystemClock();
  environment.mover = &SystemClock();
  peers = std::make_unique<io::EventLoop>("peers");
  TM_ASSIGN_OR_RETURN(const auto peer_security, OpenPeerSecurity());
  environment.peers = [this, peer_security](ImageHolder& metadata) {
    return std::make_unique<coordinator::PeerConnections>(
        *peers, peers->context(), metadata, config.inter_broker_listener,
        "broker-" + std::to_string(config.node_id),
        config.raw().GetMs("replica.socket.timeout.ms"), peer_security);
  };
  environment.channels = channels;
  environment.connect = replication::MakePeerTransportFactory(
      "broker-" + std::to_string(config.node_id),
      config.raw().GetMs("replica.socket.timeout.ms"), peer_security);
  environment.check_directory = [this](const std::string& dir) -> Status {
    for (const auto& lock : locks) {
      if (lock->directory() == dir) return lock->Check();
    }
    return {};
  };
  environment.seed = std::random_device()();
  BrokerCore::Identity identity{services.cluster_id, Uuid::Random(),
                                directories, broken};
  BrokerCore::Events events;
  events.fenced = [this](bool now) { OnFenced(now); };
  events.refused = [this](const Error& error) { failed(error); };
  events.settings = [this](const DynamicSettings& settings) {
    admission.connections.SetLimits(
        std::min(settings.GetInt("max.connections"), MostConnections()),
        settings.GetInt("max.connections.per.ip"));
  };
  TM_ASSIGN_OR_RETURN(core, WithPatience(pause, [&] {
                        return BrokerCore::Open(config, environment, identity,
                                                events);
                      }));
  return {};
}

Status Broker::Impl::OpenAuthorizer() {
  if (!config.authorizer) return {};
  authorizer.emplace(*config.authorizer);
  services.authorizer = &*authorizer;
  std::string path = config.raw().GetString("tidemark.audit.log");
  if (path.empty()) return {};
  if (!path.starts_with('/')) {
    // Of those that can be used; there is one.
    path = std::ranges::find_if(config.log_dirs,
                                [this](const auto& dir) {
                                  return directories.contains(dir);
                                })[0] +
           "/" + path;
  }
  TM_ASSIGN_OR_RETURN(audit_file, AuditFile::Open(path));
  audit = std::make_unique<AuditLog>(
      [this](std::string line) { audit_file->Write(std::move(line)); },
      SystemClock());
  services.audit = audit.get();
  LOG(INFO) << "clients are authorized by access control lists, audit log="
            << path;
  return {};
}

void Broker::Impl::Assemble() {
  producer_ids = std::make_unique<ProducerIdAllocator>(core->session());
  ClientTelemetry::Options telemetry_options;
  telemetry_options.max_bytes =
      static_cast<size_t>(config.raw().GetInt("telemetry.max.bytes"));
  telemetry = std::make_unique<ClientTelemetry>(telemetry_options);
  services.config = &config;
  services.metadata = &core->metadata();
  services.controller = &core->session();
  services.replicas = &core->replicas();
  services.fetch = &core->fetch();
  services.groups = &core->groups();
  services.transactions = core->transactions();
  services.verifier = core->verifier();
  services.producer_ids = producer_ids.get();
  services.telemetry = telemetry.get();
  services.log_directories = [core = core.get()] {
    return core->Directories();
  };
  services.move_replicas = [mover = core->mover()](auto wanted, auto done) {
    mover->Move(std::move(wanted), std::move(done));
  };
  services.future_replicas = [mover = core->mover()] {
    std::vector<FutureReplica> all;
    for (auto& one : mover->Futures()) {
      all.push_back({std::move(one.partition), std::move(one.directory),
                     one.bytes, one.end});
    }
    return all;
  };
  dispatcher = std::make_unique<Dispatcher>(HandlerTable(), services, network);
}

Result<std::shared_ptr<tls::ContextSource>> Broker::Impl::OpenTls(
    const Listener& listener) {
  auto opened =
      tls::ContextSource::Open(tls::SettingsOf(config.raw(), listener.name));
  if (!opened) {
    return Fail(opened.error().code,
                "listener " + listener.name + ": " + opened.error().message);
  }
  return opened;
}

// With the settings of the brokers' own listener, as in Kafka.
Result<replication::PeerSecurity> Broker::Impl::OpenPeerSecurity() {
  if (std::ranges::none_of(config.listeners, SpeaksTls)) {
    return replication::PeerSecurity();
  }
  handshakes = std::make_unique<io::EventLoop>("tls-handshakes");
  const auto own = std::ranges::find(
      config.listeners, config.inter_broker_listener, &Listener::name);
  if (own->protocol != "SSL") return replication::PeerSecurity();
  auto opened =
      tls::ClientSource::Open(tls::SettingsOf(config.raw(), own->name));
  if (!opened) {
    return Fail(opened.error().code,
                "listener " + own->name + ": " + opened.error().message);
  }
  tls_of_peers = *opened;
  return replication::PeerSecurity{*opened, handshakes.get()};
}

// On a thread that may wait, and that no handshake needs.
void Broker::Impl::WatchTls() {
  Executor* const waits = disk_readers.front().get();
  for (const auto& [name, source] : tls) {
    tls::ReloadForever(name, source, waits);
  }
  tls::ReloadForever("peers", tls_of_peers, waits);
  rpc::ReloadForever(security, config.controllers_by.listener, waits);
}

Status Broker::Impl::OpenPorts() {
  std::vector<Executor*> readers;
  for (const auto& reader : disk_readers) readers.push_back(reader.get());
  std::vector<io::EventLoop*> loops;
  for (const auto& shard : shards) loops.push_back(shard.get());
  for (const Listener& listener : config.listeners) {
    if (!SpeaksTls(listener)) continue;
    TM_ASSIGN_OR_RETURN(tls[listener.name], OpenTls(listener));
  }
  WatchTls();
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    ListenerOptions options = OptionsOf(config.listeners[i], config.raw());
    const auto found = tls.find(options.name);
    if (found != tls.end()) {
      options.tls = found->second;
      TM_ASSIGN_OR_RETURN(options.principals,
                          PrincipalsOf(config.listeners[i], config.raw()));
    }
    if (SpeaksSasl(config.listeners[i])) {
      TM_ASSIGN_OR_RETURN(options.sasl, SaslOf(config.listeners[i],
                                               config.raw(), core->metadata()));
    }
    TM_ASSIGN_OR_RETURN(
        auto listener,
        KafkaListener::Open(std::move(options), loops, readers,
                            handshakes.get(), *dispatcher, network, admission));
    const Listener& advertised = config.advertised_listeners[i];
    endpoints.push_back(
        {advertised.name, advertised.host,
         advertised.port != 0 ? advertised.port : listener->port(),
         advertised.protocol});
    LOG(INFO) << "listening listener=" << advertised.name
              << " port=" << listener->port()
              << " advertised=" << endpoints.back().host << ":"
              << endpoints.back().port;
    listeners.push_back(std::move(listener));
  }
  const int64_t port = config.raw().GetInt("http.port");
  if (port < 0) return {};
  rpc::HttpEndpoint::Handlers handlers;
  handlers.ready = [this] { return Ready(); };
  handlers.notes = [this] {
    std::string notes;
    for (const auto& [dir, why] : core->Offline()) {
      notes += "log directory " + dir + " is offline: " + why + "\n";
    }
    return notes;
  };
  handlers.metrics = [this] { return Metrics(); };
  TM_ASSIGN_OR_RETURN(
      auto settings,
      rpc::HttpSettingsOf(config.raw(), static_cast<uint16_t>(port)));
  TM_ASSIGN_OR_RETURN(
      http, rpc::HttpEndpoint::Start(std::move(settings), std::move(handlers)));
  tls::ReloadForever("http", http->tls(), disk_readers.front().get());
  return {};
}

void Broker::Impl::OnFenced(bool now_fenced) {
  fenced = now_fenced;
  if (!now_fenced && !stopping) rpc::NotifyServiceManager("READY=1");
}

Status Broker::Impl::Ready() const {
  if (stopping) {
    return Fail(ErrorCode::kBrokerNotAvailable, "shutting down");
  }
  if (core->AllOffline()) {
    return Fail(ErrorCode::kKafkaStorageError,
                "every log directory is offline; mend the disk and restart");
  }
  if (fenced) {
    return Fail(ErrorCode::kBrokerNotAvailable,
                "fenced: not registered or not caught up with the controllers");
  }
  return {};
}

std::string Broker::Impl::Metrics() const {
  std::vector<std::string> unusable;
  for (const auto& [dir, why] : core->Offline()) unusable.push_back(dir);
  uint64_t posted = 0;
  for (const auto& shard : shards) posted += shard->posted();
  std::map<std::string, int64_t> certificates;
  for (const auto& [name, source] : tls) {
    certificates[name] = source->Get()->expires_s();
  }
  if (security != nullptr) {
    certificates[config.controllers_by.listener] =
        security->material()->expires_s;
  }
  if (http != nullptr && http->tls() != nullptr) {
    certificates["http"] = http->tls()->Get()->expires_s();
  }
  return RenderMetrics(BrokerMetricsSource{
      config.node_id, network, admission, core->groups().memory(),
      core->replicas().stats(), core->metadata().Get(), fenced.load(),
      std::move(unusable), core->scrubbed(), core->cleaned(), posted,
      std::move(certificates), telemetry->All(control->Now())});
}

void Broker::Impl::HandOverLeaderships() {
  if (!config.raw().GetBool("controlled.shutdown.enable") || fenced) return;
  // Shared: the answer may come after the wait was given up.
  auto handed_over = std::make_shared<std::promise<bool>>();
  core->HandOver([handed_over](bool done) { handed_over->set_value(done); });
  const Duration limit = config.raw().GetMs("controlled.shutdown.timeout.ms");
  auto answer = handed_over->get_future();
  if (answer.wait_for(limit) != std::future_status::ready) {
    LOG(WARNING) << "controlled shutdown timed out broker=" << config.node_id;
  } else if (!answer.get()) {
    LOG(WARNING) << "no controller is there to hand leaderships over, stopping "
                    "without broker="
                 << config.node_id;
  }
}

Result<Broker*> Broker::Start(BrokerConfig config, Failed failed,
                              const Pause& pause) {
  if (io::DescriptorLimit() < kLeastDescriptors) {
    return Fail(
        ErrorCode::kOutOfHandles,
        "the limit of open files is " + std::to_string(io::DescriptorLimit()) +
            ", a broker needs at least " + std::to_string(kLeastDescriptors) +
            " (LimitNOFILE or ulimit -n)");
  }
  // What the event loops and threads throw when they cannot be made.
  try {
    auto impl = std::make_unique<Impl>(std::move(config));
    impl->failed = std::move(failed);
    TM_RETURN_IF_ERROR(
        WithPatience(pause, [&] { return impl->OpenDirectories(); }));
    io::ReserveDescriptors(kReservedDescriptors,
                           MostFiles(io::DescriptorLimit()));
    TM_RETURN_IF_ERROR(impl->OpenCore(pause));
    TM_RETURN_IF_ERROR(impl->OpenAuthorizer());
    impl->Assemble();
    TM_RETURN_IF_ERROR(impl->OpenPorts());
    impl->core->Join(impl->endpoints);
    return new Broker(impl.release());
  } catch (const std::system_error& error) {
    return Fail(io::CodeOfErrno(error.code().value()),
                std::string("cannot start: ") + error.what());
  }
}

Status Broker::Shutdown() {
  LOG(INFO) << "shutting down broker=" << impl_->config.node_id;
  impl_->stopping = true;
  rpc::NotifyServiceManager("STOPPING=1");
  impl_->HandOverLeaderships();
  for (const auto& listener : impl_->listeners) listener->Stop();
  std::promise<Status> closed;
  impl_->core->Close([&](Status status) { closed.set_value(status); });
  Status status = closed.get_future().get();
  impl_->channels->Close();
  if (impl_->scrubber != nullptr) impl_->scrubber->Stop();
  impl_->peers->Stop();
  if (impl_->handshakes != nullptr) impl_->handshakes->Stop();
  for (const auto& reader : impl_->disk_readers) reader->Stop();
  for (const auto& shard : impl_->shards) shard->Stop();
  impl_->control->Stop();
  return status;
}

}  // namespace tidemark::server
