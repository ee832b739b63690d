#include "broker/server/broker.h"

#include <glog/logging.h>

#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <set>

#include "broker/coordinator/group_coordinator.h"
#include "broker/kafka/dispatcher.h"
#include "broker/kafka/handlers/table.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/kafka/producer_id_allocator.h"
#include "broker/log/log_manager.h"
#include "broker/metadata/controller_channels.h"
#include "broker/metadata/controller_session.h"
#include "broker/metadata/image_holder.h"
#include "broker/metadata/subscriber.h"
#include "broker/replication/fetch_service.h"
#include "broker/replication/peer_connection.h"
#include "broker/replication/replica_manager_impl.h"
#include "broker/server/broker_metrics.h"
#include "broker/server/partition_store.h"
#include "broker/server/publisher.h"
#include "broker/server/replica_locations.h"
#include "common/io/event_loop.h"
#include "common/io/meta_properties.h"
#include "common/io/resources.h"
#include "common/rpc/http_endpoint.h"
#include "common/rpc/systemd.h"

namespace tidemark::server {
namespace {

// Enough for what a shard opens at once (a roll, a cold read), for each of
// them, and a sync of a directory beside.
constexpr int kReservedDescriptors = 64;

Duration Ms(const Config& config, std::string_view key) {
  return MillisecondsOf(config.GetInt(key));
}

int32_t Int(const Config& config, std::string_view key) {
  return static_cast<int32_t>(config.GetInt(key));
}

replication::ReplicaManagerOptions ReplicaOptions(const BrokerConfig& config) {
  const Config& raw = config.raw();
  replication::ReplicaManagerOptions options;
  options.shard.self = config.node_id;
  options.shard.lag_max = Ms(raw, "replica.lag.time.max.ms");
  options.shard.session_timeout = Ms(raw, "broker.session.timeout.ms");
  options.shard.inter_broker_listener = config.inter_broker_listener;
  options.shard.static_configs = config.static_values();
  options.shard.fetcher.self = config.node_id;
  options.shard.fetcher.error_backoff_max = Ms(raw, "replica.fetch.backoff.ms");
  options.shard.fetcher.error_backoff_min =
      std::min(options.shard.fetcher.error_backoff_min,
               options.shard.fetcher.error_backoff_max);
  options.shard.producer_expiration_ms =
      raw.GetInt("producer.id.expiration.ms");
  options.shard.fetcher.max_wait_ms = Int(raw, "replica.fetch.wait.max.ms");
  options.shard.fetcher.min_bytes = Int(raw, "replica.fetch.min.bytes");
  options.shard.fetcher.max_bytes =
      Int(raw, "replica.fetch.response.max.bytes");
  options.shard.fetcher.partition_max_bytes =
      Int(raw, "replica.fetch.max.bytes");
  options.high_watermark_checkpoint =
      Ms(raw, "replica.high.watermark.checkpoint.interval.ms");
  options.retention_check = Ms(raw, "log.retention.check.interval.ms");
  return options;
}

replication::FetchService::Options FetchOptions(const BrokerConfig& config) {
  replication::FetchService::Options options;
  options.max_sessions = static_cast<size_t>(
      config.raw().GetInt("max.incremental.fetch.session.cache.slots"));
  options.max_bytes = Int(config.raw(), "fetch.max.bytes");
  options.seed = std::random_device()();
  return options;
}

ListenerOptions OptionsOf(const Listener& listener, const Config& config) {
  ListenerOptions options;
  options.name = listener.name;
  options.host = listener.host;
  options.port = listener.port;
  options.max_request_bytes =
      static_cast<size_t>(config.GetInt("socket.request.max.bytes"));
  options.max_idle = Ms(config, "connections.max.idle.ms");
  return options;
}

size_t MemoryShare(const Config& config, std::string_view key) {
  const int64_t bytes = config.GetInt(key);
  return static_cast<size_t>(bytes >= 0 ? static_cast<uint64_t>(bytes)
                                        : io::MemoryLimit() / 8);
}

Admission::Options AdmissionOptions(const Config& config) {
  Admission::Options options;
  const int64_t most =
      ConnectionLimits::WithinDescriptors(io::DescriptorLimit());
  options.max_connections = std::min(config.GetInt("max.connections"), most);
  if (options.max_connections == most) {
    LOG(INFO) << "limit of open files caps connections max.connections=" << most
              << " open_files=" << io::DescriptorLimit();
  }
  options.max_connections_per_address = config.GetInt("max.connections.per.ip");
  options.request_bytes = MemoryShare(config, "queued.max.request.bytes");
  options.answer_bytes =
      MemoryShare(config, "tidemark.queued.max.response.bytes");
  return options;
}

}  // namespace

struct Broker::Impl {
  explicit Impl(BrokerConfig c)
      : config(std::move(c)), admission(AdmissionOptions(config.raw())) {}

  Status OpenDirectories();
  Status OpenDirectory(const std::string& dir);
  Status LoadLogs();
  void Assemble();
  Status OpenPorts();
  void Join();

  // Directories that went offline before there was a session to report to.
  void ReportOffline();
  void OnDirectoryOffline(const std::string& dir);
  std::map<std::string, std::string> Offline() const;
  void OnFenced(bool now_fenced);
  Status Ready() const;
  std::string Metrics() const;
  void HandOverLeaderships();

  const BrokerConfig config;
  Failed failed;
  const Uuid incarnation = Uuid::Random();
  std::atomic<bool> fenced = true;
  std::atomic<bool> stopping = false;
  std::atomic<bool> assembled = false;

  std::vector<std::unique_ptr<io::DirectoryLock>> locks;
  std::map<std::string, Uuid> directories;     // log dir -> its id, when known
  std::map<std::string, Error> broken;         // log dir -> why it is of no use
  std::set<std::string> reported;              // on `control`
  mutable std::mutex offline_mutex;            // guards the next
  std::map<std::string, std::string> offline;  // log dir -> why
  std::unique_ptr<log::LogManager> logs;
  std::unique_ptr<PartitionStore> store;
  std::unique_ptr<ReplicaLocations> locations;
  std::vector<std::unique_ptr<io::EventLoop>> shards;
  std::unique_ptr<io::EventLoop> control;  // session, feed, publisher
  ImageHolder metadata;
  NetworkMetrics network;
  Admission admission;
  std::shared_ptr<ControllerChannels> channels;
  std::unique_ptr<ControllerSession> session;
  std::unique_ptr<replication::ReplicaManagerImpl> replicas;
  std::unique_ptr<replication::FetchService> fetch;
  std::unique_ptr<coordinator::GroupCoordinator> groups;
  std::unique_ptr<ProducerIdAllocator> producer_ids;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Subscriber> subscriber;
  Services services;
  std::unique_ptr<Dispatcher> dispatcher;
  std::vector<std::unique_ptr<KafkaListener>> listeners;
  std::vector<metadata::EndpointImage> endpoints;
  std::unique_ptr<rpc::HttpEndpoint> http;
};

Status Broker::Impl::OpenDirectories() {
  for (const std::string& dir : config.log_dirs) {
    Status opened = OpenDirectory(dir);
    if (opened) continue;
    // A disk that is broken is no reason not to serve the others; one that
    // belongs to somebody else is.
    if (opened.error().code != ErrorCode::kKafkaStorageError) return opened;
    LOG(ERROR) << "log directory unusable dir=" << dir
               << " error=" << opened.error().message;
    broken[dir] = opened.error();
  }
  if (broken.size() == config.log_dirs.size())
    return Fail(broken.begin()->second);
  return {};
}

Status Broker::Impl::OpenDirectory(const std::string& dir) {
  TM_ASSIGN_OR_RETURN(
      auto properties,
      io::LoadMetaProperties(dir, services.cluster_id, config.node_id));
  directories[dir] = properties.directory_id;
  services.cluster_id = properties.cluster_id;
  TM_ASSIGN_OR_RETURN(auto lock, io::DirectoryLock::Acquire(dir));
  locks.push_back(std::move(lock));
  return {};
}

Status Broker::Impl::LoadLogs() {
  log::LogManagerOptions options;
  options.dirs = config.log_dirs;
  options.broken = broken;
  options.min_free_bytes = config.raw().GetInt("log.dirs.min.free.bytes");
  options.config.producer_expiration_ms =
      config.raw().GetInt("producer.id.expiration.ms");
  options.on_offline = [this](const std::string& dir, const Error& why) {
    {
      std::lock_guard lock(offline_mutex);
      offline[dir] = why.message;
    }
    // While logs are loaded there is nobody to tell yet: ReportOffline does.
    if (assembled) control->Post([this, dir] { OnDirectoryOffline(dir); });
  };
  TM_ASSIGN_OR_RETURN(
      logs, log::LogManager::Open(io::PosixFileSystem(), std::move(options),
                                  SystemClock().WallMs()));
  store = std::make_unique<PartitionStore>(*logs);
  return {};
}

void Broker::Impl::Assemble() {
  std::vector<Executor*> executors;
  for (int i = 0; i < config.shards; ++i) {
    shards.push_back(
        std::make_unique<io::EventLoop>("shard" + std::to_string(i)));
    executors.push_back(shards.back().get());
  }
  channels = std::make_shared<ControllerChannels>(config.controllers);
  SessionOptions options;
  options.node_id = config.node_id;
  options.cluster_id = services.cluster_id;
  options.incarnation = incarnation;
  options.rack = config.rack;
  for (const auto& [dir, id] : directories) options.directories.push_back(id);
  options.previous_epoch = logs->previous_broker_epoch();
  options.heartbeat_interval = Ms(config.raw(), "broker.heartbeat.interval.ms");
  options.session_timeout = Ms(config.raw(), "broker.session.timeout.ms");
  ControllerSession::Events events;
  events.fenced = [this](bool now) { OnFenced(now); };
  events.silent = [this](bool now) { replicas->SetControllersSilent(now); };
  events.refused = [this](const Error& error) { failed(error); };
  session = std::make_unique<ControllerSession>(std::move(options), channels,
                                                *control, std::move(events));
  replicas = std::make_unique<replication::ReplicaManagerImpl>(
      executors, ReplicaOptions(config), *store, *session,
      replication::MakePeerTransportFactory(
          "broker-" + std::to_string(config.node_id),
          Ms(config.raw(), "replica.socket.timeout.ms")));
  fetch = std::make_unique<replication::FetchService>(*replicas, metadata,
                                                      FetchOptions(config));
  groups = std::make_unique<coordinator::GroupCoordinator>(config, metadata,
                                                           *session, *replicas);
  replicas->Listen(coordinator::kOffsetsTopic, groups.get());
  replicas->Start();
  producer_ids = std::make_unique<ProducerIdAllocator>(*session);

  locations = std::make_unique<ReplicaLocations>(config.node_id, directories,
                                                 metadata, *session, *control);
  store->Tell(locations.get());

  Publisher::Parts parts;
  parts.self = config.node_id;
  parts.incarnation = incarnation;
  parts.metadata = &metadata;
  parts.replicas = replicas.get();
  parts.groups = groups.get();
  parts.session = session.get();
  parts.executor = control.get();
  parts.first_image = [this](const metadata::Image& image) {
    locations->SetFirstImage(image);
  };
  parts.remove_strays = [this](const metadata::ImagePtr& image) {
    replicas->RemoveStrays(image);
  };
  publisher = std::make_unique<Publisher>(std::move(parts));

  services.config = &config;
  services.metadata = &metadata;
  services.controller = session.get();
  services.replicas = replicas.get();
  services.fetch = fetch.get();
  services.groups = groups.get();
  services.producer_ids = producer_ids.get();
  dispatcher = std::make_unique<Dispatcher>(HandlerTable(), services, network);
}

Status Broker::Impl::OpenPorts() {
  std::vector<io::EventLoop*> loops;
  for (const auto& shard : shards) loops.push_back(shard.get());
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    TM_ASSIGN_OR_RETURN(
        auto listener,
        KafkaListener::Open(OptionsOf(config.listeners[i], config.raw()), loops,
                            *dispatcher, network, admission));
    const Listener& advertised = config.advertised_listeners[i];
    endpoints.push_back(
        {advertised.name, advertised.host,
         advertised.port != 0 ? advertised.port : listener->port(),
         "PLAINTEXT"});
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
    for (const auto& [dir, why] : Offline()) {
      notes += "log directory " + dir + " is offline: " + why + "\n";
    }
    return notes;
  };
  handlers.metrics = [this] { return Metrics(); };
  TM_ASSIGN_OR_RETURN(
      http, rpc::HttpEndpoint::Start(config.raw().GetString("http.host"),
                                     static_cast<uint16_t>(port),
                                     std::move(handlers)));
  return {};
}

void Broker::Impl::Join() {
  SubscriberOptions options;
  options.node_id = config.node_id;
  options.cluster_id = services.cluster_id;
  options.incarnation = incarnation;
  subscriber = std::make_unique<Subscriber>(
      std::move(options), channels, *control,
      [this](metadata::ImagePtr image,
             std::shared_ptr<const metadata::Delta> delta) {
        publisher->Publish(std::move(image), std::move(delta));
      });
  session->Start(endpoints);
  subscriber->Start();
}

void Broker::Impl::ReportOffline() {
  assembled = true;
  for (const std::string& dir : logs->OfflineDirectories()) {
    control->Post([this, dir] { OnDirectoryOffline(dir); });
  }
}

void Broker::Impl::OnDirectoryOffline(const std::string& dir) {
  if (!reported.insert(dir).second) return;
  LOG(ERROR) << "log directory is offline dir=" << dir;
  if (replicas != nullptr) replicas->DirectoryFailed();
  const auto found = directories.find(dir);
  if (found != directories.end()) {
    session->ReportOffline({found->second, dir, Offline()[dir]});
  }
  // The process stays, to say so: its partitions are led elsewhere now, and a
  // restart would find the same disk.
  if (logs->OfflineDirectories().size() == config.log_dirs.size()) {
    LOG(ERROR) << "every log directory is offline: this broker serves no more "
                  "until its disk is mended and it is started again";
  }
}

std::map<std::string, std::string> Broker::Impl::Offline() const {
  std::lock_guard lock(offline_mutex);
  return offline;
}

void Broker::Impl::OnFenced(bool now_fenced) {
  fenced = now_fenced;
  if (!now_fenced && !stopping) rpc::NotifyServiceManager("READY=1");
}

Status Broker::Impl::Ready() const {
  if (stopping) {
    return Fail(ErrorCode::kBrokerNotAvailable, "shutting down");
  }
  if (logs->OfflineDirectories().size() == config.log_dirs.size()) {
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
  for (const auto& [dir, why] : Offline()) unusable.push_back(dir);
  return RenderMetrics(BrokerMetricsSource{config.node_id, network, admission,
                                           replicas->stats(), metadata.Get(),
                                           fenced.load(), std::move(unusable)});
}

void Broker::Impl::HandOverLeaderships() {
  if (!config.raw().GetBool("controlled.shutdown.enable") || fenced) return;
  // Shared: the answer may come after the wait was given up.
  auto handed_over = std::make_shared<std::promise<void>>();
  session->RequestShutdown([handed_over] { handed_over->set_value(); });
  const Duration limit = Ms(config.raw(), "controlled.shutdown.timeout.ms");
  if (handed_over->get_future().wait_for(limit) != std::future_status::ready) {
    LOG(WARNING) << "controlled shutdown timed out broker=" << config.node_id;
  }
}

Result<Broker*> Broker::Start(BrokerConfig config, Failed failed) {
  auto impl = std::make_unique<Impl>(std::move(config));
  impl->failed = std::move(failed);
  TM_RETURN_IF_ERROR(impl->OpenDirectories());
  io::ReserveDescriptors(kReservedDescriptors);
  TM_RETURN_IF_ERROR(impl->LoadLogs());
  impl->control = std::make_unique<io::EventLoop>("control");
  impl->Assemble();
  TM_RETURN_IF_ERROR(impl->OpenPorts());
  impl->Join();
  impl->ReportOffline();
  return new Broker(impl.release());
}

Status Broker::Shutdown() {
  LOG(INFO) << "shutting down broker=" << impl_->config.node_id;
  impl_->stopping = true;
  rpc::NotifyServiceManager("STOPPING=1");
  impl_->HandOverLeaderships();
  for (const auto& listener : impl_->listeners) listener->Stop();
  impl_->subscriber->Stop();
  impl_->session->Stop();
  std::promise<Status> closed;
  impl_->replicas->Close(impl_->session->broker_epoch(),
                         [&](Status status) { closed.set_value(status); });
  Status status = closed.get_future().get();
  for (const auto& shard : impl_->shards) shard->Stop();
  impl_->control->Stop();
  return status;
}

}  // namespace tidemark::server
