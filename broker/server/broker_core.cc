#include "broker/server/broker_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/coordinator/marker_writer.h"
#include "common/base/may_wait.h"
#include "common/io/resources.h"

namespace tidemark::server {
namespace {

// What fetch sessions of consumers may take of the memory.
constexpr uint64_t kSessionsShare = 32;
// How long a marker may wait for the replicas of its partition.
constexpr std::chrono::seconds kMarkersTimeout(30);

int32_t Int(const Config& config, std::string_view key) {
  return static_cast<int32_t>(config.GetInt(key));
}

replication::ReplicaManagerOptions ReplicaOptions(const BrokerConfig& config) {
  const Config& raw = config.raw();
  replication::ReplicaManagerOptions options;
  options.shard.self = config.node_id;
  options.shard.lag_max = raw.GetMs("replica.lag.time.max.ms");
  options.shard.batch_cache_bytes =
      static_cast<size_t>(raw.GetInt("tidemark.batch.cache.bytes")) /
      static_cast<size_t>(config.shards);
  options.shard.session_timeout = raw.GetMs("broker.session.timeout.ms");
  options.shard.inter_broker_listener = config.inter_broker_listener;
  options.shard.static_configs = config.static_values();
  options.shard.fetcher.self = config.node_id;
  options.shard.fetcher.error_backoff_max =
      raw.GetMs("replica.fetch.backoff.ms");
  options.shard.fetcher.error_backoff_min =
      std::min(options.shard.fetcher.error_backoff_min,
               options.shard.fetcher.error_backoff_max);
  options.shard.producer_expiration_ms =
      raw.GetInt("producer.id.expiration.ms");
  options.shard.verifies_transactions =
      raw.GetBool("transaction.partition.verification.enable");
  options.shard.fetcher.max_wait_ms = Int(raw, "replica.fetch.wait.max.ms");
  options.shard.fetcher.min_bytes = Int(raw, "replica.fetch.min.bytes");
  options.shard.fetcher.max_bytes =
      Int(raw, "replica.fetch.response.max.bytes");
  options.shard.fetcher.partition_max_bytes =
      Int(raw, "replica.fetch.max.bytes");
  options.high_watermark_checkpoint =
      raw.GetMs("replica.high.watermark.checkpoint.interval.ms");
  options.retention_check = raw.GetMs("log.retention.check.interval.ms");
  return options;
}

replication::FetchService::Options FetchOptions(const BrokerConfig& config,
                                                uint64_t seed) {
  replication::FetchService::Options options;
  options.sessions.sessions = static_cast<size_t>(
      config.raw().GetInt("max.incremental.fetch.session.cache.slots"));
  options.sessions.partitions =
      io::MemoryLimit() / kSessionsShare /
      replication::FetchSessionCache::kBytesOfAPartition;
  options.max_bytes = Int(config.raw(), "fetch.max.bytes");
  options.rack_aware = config.raw().GetString("replica.selector.class") ==
                       "org.apache.kafka.common.replica."
                       "RackAwareReplicaSelector";
  options.seed = seed;
  return options;
}

// Of the file, or as they are now.
template <class Settings>
log::Cleaner::Options CleanerOptions(const Settings& settings) {
  log::Cleaner::Options options;
  options.threads = static_cast<int>(settings.GetInt("log.cleaner.threads"));
  options.dedupe_bytes =
      static_cast<size_t>(settings.GetInt("log.cleaner.dedupe.buffer.size"));
  options.load_factor = settings.GetDouble("log.cleaner.io.buffer.load.factor");
  options.bytes_per_second =
      settings.GetDouble("log.cleaner.io.max.bytes.per.second");
  options.backoff = MillisecondsOf(settings.GetInt("log.cleaner.backoff.ms"));
  options.share = settings.GetDouble("tidemark.log.cleaner.share");
  return options;
}

}  // namespace

BrokerCore::BrokerCore(const BrokerConfig& config, Environment environment,
                       Identity identity, Events events)
    : config_(config),
      environment_(std::move(environment)),
      identity_(std::move(identity)),
      events_(std::move(events)) {}

BrokerCore::~BrokerCore() {
  if (store_) store_->Tell(nullptr);
}

Result<std::unique_ptr<BrokerCore>> BrokerCore::Open(const BrokerConfig& config,
                                                     Environment environment,
                                                     Identity identity,
                                                     Events events) {
  for (Executor* shard : environment.shards) {
    shard->Post([] { must_not_wait = true; });
  }
  std::unique_ptr<BrokerCore> core(new BrokerCore(
      config, std::move(environment), std::move(identity), std::move(events)));
  TM_RETURN_IF_ERROR(core->LoadLogs());
  core->Assemble();
  core->AssembleScrubber();
  core->AssembleCleaner();
  core->AssemblePublisher();
  return core;
}

Status BrokerCore::LoadLogs() {
  log::LogManagerOptions options;
  options.dirs = config_.log_dirs;
  options.broken = identity_.broken;
  options.load_threads = environment_.load_threads;
  options.check = environment_.check_directory;
  options.directory.boot = environment_.boot;
  options.min_free_bytes = config_.raw().GetInt("log.dirs.min.free.bytes");
  options.config.producer_expiration_ms =
      config_.raw().GetInt("producer.id.expiration.ms");
  options.config.file_delete_delay_ms =
      config_.raw().GetInt("log.segment.delete.delay.ms");
  log::JournalRounds::Options& journal = options.directory.journal;
  journal.in_place_bytes = static_cast<uint64_t>(
      config_.raw().GetInt("tidemark.log.journal.in.place.bytes"));
  journal.journal.file_bytes = static_cast<uint64_t>(
      config_.raw().GetInt("tidemark.log.journal.file.bytes"));
  options.directory.on_created = [this](const TopicPartition& partition,
                                        const Uuid& topic_id,
                                        const std::string& dir) {
    store_->Created(partition, topic_id, dir);
  };
  options.on_offline = [this](const std::string& dir, const Error& why) {
    {
      std::lock_guard lock(offline_mutex_);
      offline_[dir] = why.message;
    }
    // While logs are loaded there is nobody to tell yet: Join does.
    if (joined_) {
      environment_.control->Post([this, dir] { OnDirectoryOffline(dir); });
    }
  };
  TM_ASSIGN_OR_RETURN(
      logs_, log::LogManager::Open(*environment_.files, std::move(options),
                                   environment_.control->WallMs()));
  store_ = std::make_unique<PartitionStore>(*logs_);
  return {};
}

void BrokerCore::Assemble() {
  SessionOptions options;
  options.node_id = config_.node_id;
  options.cluster_id = identity_.cluster_id;
  options.incarnation = identity_.incarnation;
  options.rack = config_.rack;
  for (const auto& [dir, id] : identity_.directories) {
    options.directories.push_back(id);
  }
  options.previous_epoch = logs_->previous_broker_epoch();
  options.heartbeat_interval =
      config_.raw().GetMs("broker.heartbeat.interval.ms");
  options.session_timeout = config_.raw().GetMs("broker.session.timeout.ms");
  ControllerSession::Events events;
  events.fenced = events_.fenced;
  events.silent = [this](bool now) { replicas_->SetControllersSilent(now); };
  events.refused = events_.refused;
  session_ = std::make_unique<ControllerSession>(
      std::move(options), environment_.channels, *environment_.control,
      std::move(events));
  replication::ReplicaManagerOptions replica_options = ReplicaOptions(config_);
  replica_options.readers = environment_.readers;
  replica_options.tell_damage = [this](const TopicPartition& partition,
                                       const Uuid& topic_id) {
    locations_->Damaged(partition, topic_id);
  };
  replica_options.tell_standing = [this](size_t shard, NodeId peer,
                                         replication::PeerStanding standing) {
    environment_.control->Post([this, shard, peer, standing] {
      standings_.Set(shard, peer, standing);
      auto report = standings_.Report();
      session_->ReportPeers(std::move(report.refusing),
                            std::move(report.silent));
    });
  };
  replicas_ = std::make_unique<replication::ReplicaManagerImpl>(
      environment_.shards, std::move(replica_options), *store_, *session_,
      environment_.connect);
  fetch_ = std::make_unique<replication::FetchService>(
      *replicas_, metadata_, FetchOptions(config_, environment_.seed));
  groups_ = std::make_unique<coordinator::GroupCoordinator>(
      config_,
      io::MemoryShare(config_.raw().GetInt("tidemark.groups.max.bytes")),
      metadata_, *session_, *replicas_);
  replicas_->Listen(coordinator::kOffsetsTopic, groups_.get());
  AssembleTransactions();
  replicas_->Start();
  locations_ = std::make_unique<ReplicaLocations>(
      config_.node_id, identity_.directories, metadata_, *session_,
      *environment_.control);
  store_->Tell(locations_.get());
  if (environment_.mover == nullptr) return;
  mover_ = std::make_unique<replication::ReplicaMover>(
      *logs_, *replicas_, *environment_.mover,
      [this](const TopicPartition& partition, const Uuid& topic_id,
             const std::string& dir) {
        locations_->Moved(partition, topic_id, dir);
      });
}

void BrokerCore::AssembleTransactions() {
  if (environment_.peers == nullptr) return;
  peers_ = environment_.peers(metadata_);
  markers_ = std::make_unique<coordinator::MarkerSender>(
      config_.node_id, metadata_, *peers_,
      [this](std::vector<replication::MarkerItem> items,
             std::function<void(std::vector<ErrorCode>)> done) {
        coordinator::WriteMarkersHere(*replicas_, *groups_, std::move(items),
                                      kMarkersTimeout, peers_->executor(),
                                      std::move(done));
      });
  transactions_ = std::make_unique<coordinator::TransactionCoordinator>(
      coordinator::TransactionConfigFrom(config_),
      coordinator::TransactionsTopicConfigFrom(config_),
      coordinator::SnapshotOptionsFrom(config_), groups_->shared_memory(),
      metadata_, *session_, *replicas_, *markers_);
  verifier_ = std::make_unique<coordinator::CoordinatorVerifier>(
      config_.node_id, metadata_, *peers_, *transactions_);
  replicas_->Listen(coordinator::kTransactionsTopic, transactions_.get());
}

void BrokerCore::AssembleScrubber() {
  log::Scrubber::Options options;
  options.bytes_per_second = config_.raw().GetInt("log.scrub.bytes.per.second");
  options.interval = config_.raw().GetMs("log.scrub.interval.ms");
  options.seed = environment_.seed;
  if (options.bytes_per_second == 0 || environment_.scrubber == nullptr) return;
  scrub_source_ = std::make_unique<replication::ReplicaScrubSource>(
      *replicas_, *environment_.scrubber);
  scrubber_ = std::make_unique<log::Scrubber>(
      *environment_.scrubber, *environment_.files, options, *scrub_source_);
}

void BrokerCore::AssembleCleaner() {
  if (environment_.cleaner == nullptr ||
      config_.raw().GetInt("log.cleaner.threads") == 0 ||
      !config_.raw().GetBool("log.cleaner.enable")) {
    return;
  }
  const log::Cleaner::Options options = CleanerOptions(config_.raw());
  clean_source_ = std::make_unique<replication::ReplicaCleanSource>(*replicas_);
  cleaner_ = std::make_unique<log::Cleaner>(
      *environment_.files, *environment_.cleaner, options, *clean_source_);
}

void BrokerCore::AssemblePublisher() {
  Publisher::Parts parts;
  parts.self = config_.node_id;
  parts.incarnation = identity_.incarnation;
  parts.metadata = &metadata_;
  parts.replicas = replicas_.get();
  parts.groups = groups_.get();
  parts.transactions = transactions_.get();
  parts.session = session_.get();
  parts.executor = environment_.control;
  parts.first_image = [this](const metadata::Image& image) {
    locations_->SetFirstImage(image);
  };
  parts.remove_strays = [this](const metadata::ImagePtr& image) {
    replicas_->RemoveStrays(image);
    if (mover_ != nullptr) mover_->Start();
  };
  publisher_ = std::make_unique<Publisher>(std::move(parts));
  SubscriberOptions options;
  options.node_id = config_.node_id;
  options.cluster_id = identity_.cluster_id;
  options.incarnation = identity_.incarnation;
  subscriber_ = std::make_unique<Subscriber>(
      std::move(options), environment_.channels, *environment_.control,
      [this](metadata::ImagePtr image,
             std::shared_ptr<const metadata::Delta> delta) {
        ApplySettings(*image);
        publisher_->Publish(std::move(image), std::move(delta));
      });
}

void BrokerCore::ApplySettings(const metadata::Image& image) {
  const DynamicSettings settings(config_, image);
  logs_->SetDeleteDelay(settings.GetInt("log.segment.delete.delay.ms"));
  if (cleaner_ != nullptr) cleaner_->Change(CleanerOptions(settings));
  if (mover_ != nullptr) {
    mover_->SetRate(
        settings.GetInt("replica.alter.log.dirs.io.max.bytes.per.second"));
  }
  if (events_.settings) events_.settings(settings);
}

void BrokerCore::Join(std::vector<metadata::EndpointImage> endpoints) {
  session_->Start(std::move(endpoints));
  subscriber_->Start();
  if (scrubber_ != nullptr) scrubber_->Start();
  if (cleaner_ != nullptr) cleaner_->Start();
  joined_ = true;
  for (const std::string& dir : logs_->OfflineDirectories()) {
    environment_.control->Post([this, dir] { OnDirectoryOffline(dir); });
  }
}

void BrokerCore::OnDirectoryOffline(const std::string& dir) {
  if (!reported_.insert(dir).second) return;
  LOG(ERROR) << "log directory is offline dir=" << dir;
  replicas_->DirectoryFailed();
  const auto found = identity_.directories.find(dir);
  if (found != identity_.directories.end()) {
    session_->ReportOffline({found->second, dir, Offline()[dir]});
  }
  // The process stays, to say so: its partitions are led elsewhere now, and a
  // restart would find the same disk.
  if (AllOffline()) {
    LOG(ERROR) << "every log directory is offline: this broker serves no more "
                  "until its disk is mended and it is started again";
  }
}

std::map<std::string, std::string> BrokerCore::Offline() const {
  std::lock_guard lock(offline_mutex_);
  return offline_;
}

bool BrokerCore::AllOffline() const {
  return logs_->OfflineDirectories().size() == config_.log_dirs.size();
}

std::vector<LogDirectoryState> BrokerCore::Directories() const {
  const std::map<std::string, std::string> offline = Offline();
  std::vector<LogDirectoryState> states;
  for (const std::string& path : config_.log_dirs) {
    LogDirectoryState& state = states.emplace_back();
    state.path = path;
    if (const auto why = offline.find(path); why != offline.end()) {
      state.offline = why->second.empty() ? "offline" : why->second;
    } else if (const auto space = environment_.files->Space(path)) {
      state.total_bytes = static_cast<int64_t>(space->total);
      state.usable_bytes = static_cast<int64_t>(space->free);
    }
  }
  return states;
}

void BrokerCore::HandOver(std::function<void(bool)> done) {
  session_->RequestShutdown(std::move(done));
}

void BrokerCore::Close(std::function<void(Status)> done) {
  if (mover_ != nullptr) mover_->Stop();
  if (cleaner_ != nullptr) cleaner_->Stop();
  subscriber_->Stop();
  session_->Stop();
  replicas_->Close(session_->broker_epoch(), std::move(done));
}

}  // namespace tidemark::server
