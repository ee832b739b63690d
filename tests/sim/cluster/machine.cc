#include "tests/sim/cluster/machine.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tests/sim/cluster/peer_calls.h"
#include "tests/sim/cluster/peer_link.h"

namespace tidemark::sim {

namespace {

constexpr int kShards = 2;
constexpr Duration kHandOverLimit = std::chrono::seconds(5);

BrokerConfig ConfigOf(NodeId id) {
  Config::Sources sources;
  sources.overrides = {
      "node.id=" + std::to_string(id),
      "controller.quorum.voters=101@controller:1",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      "listeners=PLAINTEXT://127.0.0.1:0",
      "log.dirs=/disk/a,/disk/b",
      // Everything that happens now and then happens often.
      "log.retention.check.interval.ms=2000",
      "replica.high.watermark.checkpoint.interval.ms=1000",
      "replica.lag.time.max.ms=3000",
      "replica.socket.timeout.ms=2000",
      "log.dirs.min.free.bytes=65536",
      "log.scrub.interval.ms=4000",
      "log.scrub.bytes.per.second=1000000",
      "tidemark.log.journal.file.bytes=65536",
      "tidemark.log.journal.in.place.bytes=4096",
      "tidemark.coordinator.snapshot.min.bytes=6000",
  };
  return BrokerConfig::Parse(*Config::Load(BrokerConfigKeys(), sources))
      .value();
}

}  // namespace

BrokerProcess::BrokerProcess(Machine& machine, Controllers& controllers,
                             int number)
    : machine_(machine),
      process_{"broker-" + std::to_string(machine.id()) + "." +
               std::to_string(number)},
      incarnation_(RandomUuid(machine.scheduler())),
      link_(machine.network(), controllers, machine.id(), process_),
      disk_(machine.scheduler(), machine.disk(), process_) {}

bool BrokerProcess::Start() {
  // Killed before its first turn: it may be reaped already.
  if (process_.dead) return false;
  ++busy_;
  Scheduler& scheduler = machine_.scheduler();
  control_ = std::make_unique<SimExecutor>(scheduler, &process_, "control");
  scrubber_ = std::make_unique<SimExecutor>(scheduler, &process_, "scrub");
  reader_ = std::make_unique<SimExecutor>(scheduler, &process_, "reader");
  server::BrokerCore::Environment environment;
  for (int i = 0; i < kShards; ++i) {
    shards_.push_back(std::make_unique<SimExecutor>(
        scheduler, &process_, "shard" + std::to_string(i)));
    shards_.back()->after_task = [this, i] {
      if (machine_.on_task) machine_.on_task(*this, static_cast<size_t>(i));
    };
    environment.shards.push_back(shards_.back().get());
  }
  environment.files = &disk_;
  environment.boot = std::to_string(machine_.disk().boots());
  environment.control = control_.get();
  environment.scrubber = scrubber_.get();
  environment.readers = {reader_.get()};
  environment.channels = link_.channels();
  environment.connect = [this](Executor& executor, const std::string&,
                               uint16_t port) {
    return MakePeerLink(machine_, process_, static_cast<NodeId>(port),
                        executor);
  };
  if (machine_.transactions()) {
    peers_ = std::make_unique<SimExecutor>(scheduler, &process_, "peers");
    environment.peers = [this](ImageHolder&) {
      return MakePeerCalls(machine_, process_, *peers_);
    };
  }
  environment.load_threads = 2;
  environment.seed = scheduler.random()();
  server::BrokerCore::Identity identity{
      kClusterId, incarnation_, machine_.directories(), {}};
  server::BrokerCore::Events events;
  events.refused = [](const Error& error) { LOG(FATAL) << ToString(error); };
  auto opened =
      server::BrokerCore::Open(machine_.config(), std::move(environment),
                               std::move(identity), std::move(events));
  --busy_;
  if (waits_ != nullptr) scheduler.Wake(waits_);
  if (!opened || process_.dead) {
    if (!opened) LOG(ERROR) << "no start: " << ToString(opened.error());
    if (opened) core_ = std::move(*opened);
    return false;
  }
  core_ = std::move(*opened);
  Assemble();
  core_->Join({{"PLAINTEXT", "machine", static_cast<uint16_t>(machine_.id()),
                "PLAINTEXT"}});
  listening_ = true;
  return true;
}

void BrokerProcess::Assemble() {
  producer_ids_ =
      std::make_unique<server::ProducerIdAllocator>(core_->session());
  services_.cluster_id = kClusterId;
  services_.config = &machine_.config();
  services_.metadata = &core_->metadata();
  services_.controller = &core_->session();
  services_.replicas = &core_->replicas();
  services_.fetch = &core_->fetch();
  services_.groups = &core_->groups();
  services_.transactions = core_->transactions();
  services_.verifier = core_->verifier();
  services_.producer_ids = producer_ids_.get();
  services_.telemetry = &telemetry_;
}

bool BrokerProcess::Stop() {
  if (process_.dead) return false;
  ++busy_;
  Scheduler& scheduler = machine_.scheduler();
  Fiber* self = scheduler.self();
  const Instant limit = scheduler.Now() + kHandOverLimit;
  auto handed_over = std::make_shared<bool>(false);
  core_->HandOver([handed_over, &scheduler, self](bool) {
    if (std::exchange(*handed_over, true)) return;
    scheduler.Wake(self);
  });
  while (!*handed_over && !process_.dead && scheduler.Now() < limit) {
    scheduler.Park(scheduler.Now() + std::chrono::milliseconds(100));
  }
  *handed_over = true;
  listening_ = false;
  // Killed meanwhile, it may answer when nobody waits any more.
  auto clean = std::make_shared<std::optional<bool>>();
  if (!process_.dead) {
    core_->Close(
        [clean](const Status& status) { *clean = status.has_value(); });
    while (!*clean && !process_.dead) {
      scheduler.Park(scheduler.Now() + std::chrono::milliseconds(10));
    }
  }
  --busy_;
  if (waits_ != nullptr) scheduler.Wake(waits_);
  return clean->value_or(false);
}

void BrokerProcess::Die() {
  if (process_.dead) return;
  machine_.scheduler().Kill(&process_);
  link_.Die();
  for (const auto& each : std::exchange(connections_, {})) {
    if (const auto connection = each.lock()) connection->PeerDied();
  }
}

void BrokerProcess::Serves(const std::shared_ptr<Connection>& connection) {
  std::erase_if(connections_, [](const auto& each) { return each.expired(); });
  connections_.push_back(connection);
}

void BrokerProcess::StopExecutors() {
  if (scrubber_ != nullptr) scrubber_->Stop();
  if (reader_ != nullptr) reader_->Stop();
  for (auto& shard : shards_) shard->Stop();
  if (peers_ != nullptr) peers_->Stop();
  if (control_ != nullptr) control_->Stop();
}

void BrokerProcess::Reap() {
  CHECK(process_.dead);
  waits_ = machine_.scheduler().self();
  while (busy_ > 0) machine_.scheduler().Park(std::nullopt);
  waits_ = nullptr;
  StopExecutors();
  // Its threads may have called once more.
  link_.Die();
  producer_ids_ = nullptr;
  core_ = nullptr;
  scrubber_ = nullptr;
  peers_ = nullptr;
  reader_ = nullptr;
  shards_.clear();
  control_ = nullptr;
}

Machine::Machine(Network& network, Controllers& controllers, NodeId id,
                 bool transactions, std::function<BrokerProcess*(NodeId)> peer)
    : network_(network),
      controllers_(controllers),
      id_(id),
      transactions_(transactions),
      peer_(std::move(peer)),
      disk_(network.scheduler().random()()),
      config_(ConfigOf(id)) {
  for (const std::string& dir : dirs()) {
    CHECK(disk_.CreateDirectories(dir));
    directories_[dir] = RandomUuid(scheduler());
  }
  CHECK(disk_.SyncDirectory("/") && disk_.SyncDirectory("/disk"));
}

void Machine::StartBroker() {
  if (broker_ != nullptr || held_) return;
  lives_.push_back(std::make_unique<BrokerProcess>(
      *this, controllers_, static_cast<int>(lives_.size()) + 1));
  broker_ = lives_.back().get();
  Run();
}

void Machine::Run() {
  BrokerProcess* broker = broker_;
  scheduler().Detach(
      scheduler().Spawn("main", &broker->process(), [this, broker] {
        if (broker->Start() || broker != broker_) return;
        // It exits, and its supervisor starts another.
        broker->Die();
        broker_ = nullptr;
        Bury(broker);
        scheduler().After(std::chrono::milliseconds(200),
                          [this] { StartBroker(); });
      }));
}

void Machine::StopBroker(End how) {
  // Killed between a failed sync and its mark no process can know; that takes
  // microseconds, and none here.
  if (how == End::kKill && disk_.HasFailedToSync() && !IsMarked()) {
    how = End::kPowerCut;
  }
  BrokerProcess* broker = broker_;
  if (broker == nullptr) {
    // What nobody has synced is in memory still.
    if (how == End::kPowerCut) disk_.Crash();
    return;
  }
  if (how == End::kClean && broker->listening()) {
    if (stopping_) return;
    stopping_ = true;
    scheduler().Detach(
        scheduler().Spawn("stop", &broker->process(), [this, broker] {
          broker->Stop();
          stopping_ = false;
          if (broker_ == broker) {
            broker_ = nullptr;
            disk_.KillProcess();
            broker->Die();
            Bury(broker);
          }
        }));
    return;
  }
  broker_ = nullptr;
  broker->Die();
  if (how == End::kPowerCut) {
    disk_.Crash();
  } else {
    disk_.KillProcess();
  }
  Bury(broker);
}

bool Machine::IsMarked() {
  return std::any_of(dirs().begin(), dirs().end(), [this](const auto& dir) {
    return disk_.Exists(dir + "/.tidemark_lost_writes");
  });
}

// Of a process of its own: the dead one's threads do not wait.
void Machine::Bury(BrokerProcess* broker) {
  static Process reaper{"reaper"};
  scheduler().Detach(
      scheduler().Spawn("reap", &reaper, [broker] { broker->Reap(); }));
}

void Machine::Wipe(const std::string& dir) {
  CHECK(broker_ == nullptr);
  CHECK(disk_.RemoveAll(dir) && disk_.CreateDirectories(dir) &&
        disk_.SyncDirectory("/disk"));
  directories_[dir] = RandomUuid(scheduler());
}

}  // namespace tidemark::sim
