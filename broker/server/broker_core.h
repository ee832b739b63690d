#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/coordinator/group_coordinator.h"
#include "broker/coordinator/marker_sender.h"
#include "broker/coordinator/peer_calls.h"
#include "broker/coordinator/transaction_coordinator.h"
#include "broker/coordinator/transaction_verifier.h"
#include "broker/kafka/handler.h"
#include "broker/log/log_manager.h"
#include "broker/log/scrubber.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_session.h"
#include "broker/metadata/dynamic_settings.h"
#include "broker/metadata/image_holder.h"
#include "broker/metadata/subscriber.h"
#include "broker/replication/cleaning.h"
#include "broker/replication/fetch_service.h"
#include "broker/replication/moving.h"
#include "broker/replication/replica_manager_impl.h"
#include "broker/replication/scrubbing.h"
#include "broker/server/partition_store.h"
#include "broker/server/publisher.h"
#include "broker/server/replica_locations.h"
#include "common/io/file.h"

namespace tidemark::server {

// Everything of a broker that is no port: its logs, replicas and groups, its
// standing with the controllers and their feed, wired as in production. The
// process gives it threads, sockets and a disk; the simulator gives it others.
//
// Destroyed after its executors have stopped.
class BrokerCore {
 public:
  // What it stands on; all outlive it.
  struct Environment {
    io::FileSystem* files = nullptr;
    std::string boot;  // another one each time the machine starts
    std::vector<Executor*> shards;
    Executor* control = nullptr;     // session, feed, publisher
    Executor* scrubber = nullptr;    // may block; nullptr: nothing is scrubbed
    const Clock* cleaner = nullptr;  // nullptr: no log is compacted
    const Clock* mover = nullptr;    // nullptr: logs stay in their directories
    std::vector<Executor*> readers;  // may wait for a disk; none: shards wait
    std::shared_ptr<ControllerChannels> channels;
    replication::TransportFactory connect;
    // What brokers ask of each other about transactions; none: this broker has
    // no part in any.
    std::function<std::unique_ptr<coordinator::PeerCalls>(ImageHolder&)> peers;
    // log::LogManagerOptions
    std::function<Status(const std::string& dir)> check_directory;
    int load_threads = 0;  // 0: as many as the machine has
    uint64_t seed = 0;     // of the ids of fetch sessions
  };
  // Who it is.
  struct Identity {
    std::string cluster_id;
    Uuid incarnation;
    std::map<std::string, Uuid> directories;  // log dir -> its id, when known
    std::map<std::string, Error> broken;      // log dir -> why it is of no use
  };
  // On the control executor.
  struct Events {
    std::function<void(bool fenced)> fenced;
    std::function<void(const Error&)> refused;  // for good
    // They may have changed.
    std::function<void(const DynamicSettings&)> settings;
  };

  ~BrokerCore();

  // Loads the logs. kKafkaStorageError: there is no usable directory.
  static Result<std::unique_ptr<BrokerCore>> Open(const BrokerConfig& config,
                                                  Environment environment,
                                                  Identity identity,
                                                  Events events);

  // Registers with these endpoints and follows the controllers.
  void Join(std::vector<metadata::EndpointImage> endpoints);
  // Asks to hand over all leaderships; `done` once, on the control executor:
  // when they are gone, or with false when there is no controller to ask.
  void HandOver(std::function<void(bool handed_over)> done);
  // The clean stop, when nobody sends requests any more. Not on an executor.
  // `done` on a thread of its own; only posts.
  void Close(std::function<void(Status)> done);

  // Log directories that cannot be used, and why. Any thread.
  std::map<std::string, std::string> Offline() const;
  bool AllOffline() const;
  // Of DescribeLogDirs. Any thread; asks the file systems.
  std::vector<LogDirectoryState> Directories() const;

  ImageHolder& metadata() { return metadata_; }
  ControllerSession& session() { return *session_; }
  replication::ReplicaManagerImpl& replicas() { return *replicas_; }
  replication::FetchService& fetch() { return *fetch_; }
  // nullptr: nothing is scrubbed. Any thread.
  const log::Scrubber::Counters* scrubbed() const {
    return scrubber_ == nullptr ? nullptr : &scrubber_->counters();
  }
  // nullptr: no log is compacted. Any thread.
  const log::Cleaner::Counters* cleaned() const {
    return cleaner_ == nullptr ? nullptr : &cleaner_->counters();
  }
  // nullptr: there is none.
  replication::ReplicaMover* mover() { return mover_.get(); }
  coordinator::GroupCoordinator& groups() { return *groups_; }
  // nullptr: there are none.
  coordinator::TransactionCoordinator* transactions() {
    return transactions_.get();
  }
  coordinator::TransactionVerifier* verifier() { return verifier_.get(); }

 private:
  BrokerCore(const BrokerConfig& config, Environment environment,
             Identity identity, Events events);
  Status LoadLogs();
  void Assemble();
  void AssembleTransactions();
  void AssembleScrubber();
  void AssembleCleaner();
  void AssemblePublisher();
  // What of the dynamic settings is not a topic's. On the control executor.
  void ApplySettings(const metadata::Image& image);
  void OnDirectoryOffline(const std::string& dir);

  const BrokerConfig& config_;
  const Environment environment_;
  const Identity identity_;
  const Events events_;

  std::atomic<bool> joined_ = false;
  std::set<std::string> reported_;              // on the control executor
  replication::PeerStandings standings_;        // likewise
  mutable std::mutex offline_mutex_;            // guards the next
  std::map<std::string, std::string> offline_;  // log dir -> why
  std::unique_ptr<log::LogManager> logs_;
  std::unique_ptr<PartitionStore> store_;
  std::unique_ptr<ReplicaLocations> locations_;
  ImageHolder metadata_;
  std::unique_ptr<ControllerSession> session_;
  std::unique_ptr<replication::ReplicaManagerImpl> replicas_;
  std::unique_ptr<replication::ReplicaScrubSource> scrub_source_;
  std::unique_ptr<log::Scrubber> scrubber_;
  std::unique_ptr<replication::ReplicaCleanSource> clean_source_;
  std::unique_ptr<log::Cleaner> cleaner_;
  std::unique_ptr<replication::ReplicaMover> mover_;
  std::unique_ptr<replication::FetchService> fetch_;
  std::unique_ptr<coordinator::GroupCoordinator> groups_;
  std::unique_ptr<coordinator::PeerCalls> peers_;
  std::unique_ptr<coordinator::MarkerSender> markers_;
  std::unique_ptr<coordinator::TransactionCoordinator> transactions_;
  std::unique_ptr<coordinator::TransactionVerifier> verifier_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Subscriber> subscriber_;
};

}  // namespace tidemark::server
