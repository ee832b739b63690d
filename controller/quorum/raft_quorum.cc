#include "controller/quorum/raft_quorum.h"

#include <glog/logging.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "controller/quorum/member_changes.h"
#include "controller/quorum/peers.h"
#include "controller/quorum/proposals.h"
#include "controller/quorum/raft_service.h"
#include "controller/quorum/storage_thread.h"
#include "controller/raft/raft.h"

namespace tidemark::quorum {
namespace {

// Overhead of an entry beside its data, for deciding when to snapshot.
constexpr uint64_t kEntryOverheadBytes = 32;

// A long tail is applied in slices of so many bytes, and after so much time
// others have their turn: a node that restarts or catches up goes on answering
// its leader, and votes (D-7).
constexpr size_t kApplySliceBytes = 64 << 10;
constexpr Duration kTurn = std::chrono::milliseconds(10);

Status CheckOptions(const Options& options) {
  std::set<NodeId> ids;
  for (const Voter& voter : options.voters) {
    if (!ids.insert(voter.id).second)
      return Fail(ErrorCode::kInvalidConfig,
                  "controller.quorum.voters names node " +
                      std::to_string(voter.id) + " twice");
  }
  if (!ids.empty() && !ids.contains(options.self))
    return Fail(ErrorCode::kInvalidConfig,
                "node.id " + std::to_string(options.self) +
                    " is not in controller.quorum.voters");
  if (options.tick_ms < 1 || options.heartbeat_ticks < 1 ||
      options.election_ticks_min <= options.heartbeat_ticks ||
      options.election_ticks_max < options.election_ticks_min)
    return Fail(ErrorCode::kInvalidConfig,
                "quorum timing: the election timeout must be longer than the "
                "heartbeat interval");
  return {};
}

raft::Config CoreConfig(const Options& options, const Uuid& directory) {
  raft::Config config;
  config.self = options.self;
  config.directory = directory;
  for (const Voter& voter : options.voters) config.voters.insert(voter.id);
  config.election_ticks_min = options.election_ticks_min;
  config.election_ticks_max = options.election_ticks_max;
  config.heartbeat_ticks = options.heartbeat_ticks;
  config.max_inflight_messages = options.max_inflight_messages;
  config.max_apply_bytes = kApplySliceBytes;
  config.seed = options.seed != 0 ? options.seed : std::random_device()();
  return config;
}

// Who this node is to others.
Peers::Self SelfOf(const Options& options, const io::MetaProperties& meta) {
  Peers::Self self{options.self, meta.directory_id, meta.cluster_id,
                   options.host, options.port,      options.features};
  for (const Voter& voter : options.voters)
    if (voter.id == options.self && self.port == 0) {
      self.host = voter.host;
      self.port = voter.port;
    }
  return self;
}

class Driver final : public RaftQuorum {
 public:
  Driver(Options options, Executor& executor, StateMachine& machine,
         std::unique_ptr<storage::RaftStorage> storage, raft::Stored stored,
         raft::Snapshot snapshot, std::map<NodeId, Uuid> directories);
  ~Driver() override;

  void Start() override;
  void HandOver(Duration limit, std::function<void()> done) override;
  void EndStreams() override { service_->EndStreams(); }
  grpc::Service& service() override { return service_->grpc(); }
  const io::MetaProperties& meta() const override { return storage_->meta(); }

  void Propose(std::string data,
               std::function<void(Result<MetadataOffset>)> done) override;
  void ReadIndex(std::function<void(Status)> done) override;
  void Change(MemberChange change, Duration limit,
              std::function<void(Status)> done) override;
  Status Transfer(NodeId to) override;
  QuorumStatus status() const override;
  NodeId leader() const override { return core_.leader(); }
  std::optional<Voter> FindVoter(NodeId id) const override {
    return peers_.Find(id);
  }
  std::optional<FeatureRanges> FeaturesOf(
      const raft::Member& member) const override {
    return peers_.FeaturesOf(member);
  }

 private:
  // What tasks and streams hold weakly: gone when the driver is.
  struct Self final : Inbox {
    explicit Self(Driver* driver) : driver(driver) {}
    void Receive(raft::Message message) override {
      driver->Receive(std::move(message));
    }
    void Meet(const raft::v1::Hello& hello,
              std::function<void(Status)> done) override {
      driver->peers_.Meet(hello, std::move(done));
    }
    void StreamBegan(NodeId from, const Uuid& directory) override {
      driver->peers_.StreamBegan(from, directory);
    }
    void StreamEnded(NodeId from, const Uuid& directory) override;
    Driver* driver;
  };

  Peers::Save SaveDirectory();
  void FollowMembers();
  void MaybeAgree();
  void Receive(raft::Message message);
  void Tick(Instant due);
  void WatchDisk();
  void SchedulePump();
  void Pump();
  void FollowLeadership();
  void CarryOut(raft::Ready ready);
  void Apply(const std::vector<raft::Entry>& entries);
  void OnWritten(std::vector<raft::Write> writes);
  void Send(const std::vector<raft::Message>& messages);
  void MaybeTakeSnapshot();
  void FetchSnapshot();

  const Options options_;
  Executor& executor_;
  StateMachine& machine_;
  raft::Raft core_;
  raft::Snapshot initial_snapshot_;  // until Start
  raft::LogPosition applied_;
  raft::LogIndex snapshot_index_ = 0;
  uint64_t bytes_since_snapshot_ = 0;
  bool taking_snapshot_ = false;
  Proposals proposals_;
  raft::Term leading_ = 0;  // the term this node leads; 0: none
  bool active_ = false;     // the state machine knows
  NodeId known_leader_ = kNoNode;
  bool pump_scheduled_ = false;
  bool disk_hangs_ = false, disk_full_ = false;  // said so in the log
  uint64_t ticks_with_room_ = 0;                 // on the disk
  uint64_t refused_messages_ = 0;
  bool asks_for_votes_ = false;
  uint64_t elections_lost_ = 0;
  Times commit_times_, snapshot_times_;
  size_t snapshot_bytes_ = 0;
  std::function<void()> handed_over_;  // to call
  MemberChanges changes_;
  raft::MembersPtr members_;  // what peers_ follows
  std::set<NodeId> leaving_;

  std::shared_ptr<Self> self_;
  std::shared_ptr<StorageThread::Written> written_;
  std::unique_ptr<RaftService> service_;
  Peers peers_;
  std::unique_ptr<StorageThread> storage_;
};

Driver::Driver(Options options, Executor& executor, StateMachine& machine,
               std::unique_ptr<storage::RaftStorage> storage,
               raft::Stored stored, raft::Snapshot snapshot,
               std::map<NodeId, Uuid> directories)
    : options_(std::move(options)),
      executor_(executor),
      machine_(machine),
      core_(CoreConfig(options_, storage->meta().directory_id),
            std::move(stored)),
      initial_snapshot_(std::move(snapshot)),
      self_(std::make_shared<Self>(this)),
      peers_(executor, SelfOf(options_, storage->meta()), options_.voters,
             std::move(directories), SaveDirectory()) {
  written_ = std::make_shared<StorageThread::Written>(
      [weak = std::weak_ptr(self_)](std::vector<raft::Write> writes) {
        if (auto self = weak.lock()) self->driver->OnWritten(std::move(writes));
      });
  Admission admission{storage->meta().cluster_id, options_.self,
                      storage->meta().directory_id};
  service_ = MakeRaftService(std::move(admission), executor_, self_);
  storage_ = std::make_unique<StorageThread>(std::move(storage),
                                             options_.directory, executor_);
}

Driver::~Driver() {
  self_.reset();
  storage_.reset();
}

Peers::Save Driver::SaveDirectory() {
  return [weak = std::weak_ptr(self_)](NodeId id, const Uuid& directory,
                                       std::function<void()> done) {
    auto self = weak.lock();
    if (!self) return;
    self->driver->storage_->SavePeer(id, directory, [weak, done] {
      if (weak.lock()) done();
    });
  };
}

void Driver::Start() {
  applied_ = initial_snapshot_.last;
  snapshot_index_ = applied_.index;
  if (applied_.index > 0)
    machine_.LoadSnapshot(
        std::string(std::exchange(initial_snapshot_, {}).data.view()),
        static_cast<MetadataOffset>(applied_.index));
  FollowMembers();
  peers_.Connect();
  // Nobody to wait for.
  if (core_.voters().IsSingle()) core_.Campaign();
  Tick(executor_.Now());
}

void Driver::Self::StreamEnded(NodeId from, const Uuid& directory) {
  // Not of somebody who only has the leader's number.
  const auto& members = driver->core_.members();
  const raft::Member* member = members ? members->Find(from) : nullptr;
  if (member != nullptr && !member->Is(directory)) return;
  driver->core_.LeaderUnreachable(from);
  driver->SchedulePump();
}

void Driver::HandOver(Duration limit, std::function<void()> done) {
  if (!core_.TransferLeadership()) return done();
  LOG(INFO) << "handing leadership over term=" << core_.term();
  handed_over_ = std::move(done);
  executor_.PostAfter(limit, [weak = std::weak_ptr(self_)] {
    auto self = weak.lock();
    if (self && self->driver->handed_over_)
      std::exchange(self->driver->handed_over_, nullptr)();
  });
  SchedulePump();
}

void Driver::Receive(raft::Message message) {
  const NodeId from = message.from;
  peers_.Heard(from, message.from_directory);
  auto status = core_.Step(std::move(message));
  // The first few say enough; a hostile peer must not fill the disk.
  if (!status && ++refused_messages_ <= 10)
    LOG(WARNING) << "refused a message of controller " << from << ": "
                 << status.error().message;
  SchedulePump();
}

// Ticks keep their pace when one comes late, but a process that was stopped
// for long does not make up for it: it would believe its leader dead.
void Driver::Tick(Instant due) {
  core_.Tick();
  peers_.Tick();
  MaybeAgree();
  WatchDisk();
  Pump();
  const Instant now = executor_.Now();
  const auto period = std::chrono::milliseconds(options_.tick_ms);
  due = std::max(due + period, now);
  executor_.PostAfter(due - now, [weak = std::weak_ptr(self_), due] {
    if (auto self = weak.lock()) self->driver->Tick(due);
  });
}

// By ticks, so that a process that was stopped does not blame its disk.
void Driver::WatchDisk() {
  const uint64_t ticks = core_.oldest_write_ticks();
  const int64_t ms = static_cast<int64_t>(ticks) * options_.tick_ms;
  const bool hangs = ticks > options_.election_ticks_max;
  if (hangs && !disk_hangs_)
    LOG(ERROR) << "the disk of " << options_.directory
               << " has not ended a write for " << ms
               << " ms: no vote and no leadership before it does";
  if (!hangs && disk_hangs_) LOG(INFO) << "the disk ends its writes again";
  disk_hangs_ = hangs;
  const bool full = storage_->full();
  if (full && !disk_full_)
    LOG(ERROR) << "the disk of " << options_.directory << " has less than "
               << (StorageThread::kLeastFree >> 20)
               << " MiB left: this controller writes nothing, votes for nobody "
                  "and does not lead until there is room";
  if (!full && disk_full_) LOG(INFO) << "the disk has room again";
  disk_full_ = full;
  ticks_with_room_ = full ? 0 : ticks_with_room_ + 1;
  const auto with_room =
      static_cast<int64_t>(std::min(ticks, ticks_with_room_));
  LOG_IF(FATAL, with_room * options_.tick_ms > options_.disk_timeout_ms)
      << "the disk of " << options_.directory << " has not ended a write for "
      << ms / 1000
      << " s, stopping: look for the disk in the kernel's log (a volume that "
         "does not answer, a controller that resets); nothing acknowledged is "
         "lost";
}

// Everything that arrives in one turn of the executor shares one Ready: one
// sync, one message to each follower.
void Driver::SchedulePump() {
  if (pump_scheduled_) return;
  pump_scheduled_ = true;
  executor_.Post([weak = std::weak_ptr(self_)] {
    auto self = weak.lock();
    if (!self) return;
    self->driver->pump_scheduled_ = false;
    self->driver->Pump();
  });
}

void Driver::Pump() {
  const Instant end = executor_.Now() + kTurn;
  while (true) {
    FollowLeadership();
    changes_.Progress(core_, executor_.Now());
    FollowMembers();
    raft::Ready ready = core_.TakeReady();
    if (ready.empty()) break;
    CarryOut(std::move(ready));
    if (executor_.Now() >= end) {
      SchedulePump();
      break;
    }
  }
  MaybeTakeSnapshot();
}

void Driver::FollowMembers() {
  std::set<NodeId> leaving;
  if (const auto* leads = std::get_if<raft::Leader>(&core_.role()))
    for (const auto& [id, progress] : leads->peers)
      if (progress.leaving) leaving.insert(id);
  if (core_.members() == members_ && leaving == leaving_) return;
  members_ = core_.members();
  leaving_ = std::move(leaving);
  peers_.Follow(members_, leaving_);
}

// The leader of a quorum that began with ids writes down whose they are, and
// where members are now that have moved.
void Driver::MaybeAgree() {
  if (!active_ || !changes_.empty() || !core_.IsLeader()) return;
  raft::Members next = *core_.members();
  if (!next.IsAgreed()) {
    auto agreed = peers_.Agreed();
    if (!agreed || agreed->Voters() != next.Voters()) return;
    next = std::move(*agreed);
  } else {
    const auto moved = peers_.Moved(next);
    if (moved.empty()) return;
    for (const auto& [id, address] : moved) {
      raft::Member member = *next.Find(id);
      member.host = address.host;
      member.port = address.port;
      next.Put(std::move(member));
    }
  }
  const std::string text = ToString(next);
  // Refused while another change is under way: the next tick comes.
  if (auto position = core_.ChangeMembers(std::move(next)))
    LOG(INFO) << "quorum members at " << position->index
              << " with directories and addresses: " << text;
}

void Driver::FollowLeadership() {
  if (core_.leader() != known_leader_) {
    known_leader_ = core_.leader();
    LOG(INFO) << "quorum leader=" << known_leader_ << " term=" << core_.term();
  }
  const bool asks = std::holds_alternative<raft::Candidate>(core_.role());
  if (std::exchange(asks_for_votes_, asks) && !asks && !core_.IsLeader())
    ++elections_lost_;
  const raft::Term leads = core_.IsLeader() ? core_.term() : 0;
  if (leads != leading_) {
    if (leading_ != 0) {
      leading_ = 0;
      // First, so that it has forgotten them: it need not see each one fail.
      if (std::exchange(active_, false)) machine_.Resign();
      proposals_.FailAll();
      changes_.FailAll();
    }
    leading_ = leads;
  }
  if (handed_over_ && leading_ == 0 && known_leader_ != kNoNode)
    std::exchange(handed_over_, nullptr)();
  if (leading_ == 0 || active_) return;
  // Its own no-op applied, the state machine has all earlier terms.
  if (applied_.term != leading_) return;
  active_ = true;
  machine_.BecomeActive(leading_);
}

void Driver::CarryOut(raft::Ready ready) {
  Send(ready.messages);
  if (ready.write) storage_->Write(std::move(*ready.write), written_);
  if (ready.snapshot) {
    LOG(INFO) << "installed snapshot offset=" << ready.snapshot->last.index
              << " bytes=" << ready.snapshot->data.size();
    applied_ = ready.snapshot->last;
    snapshot_index_ = applied_.index;
    bytes_since_snapshot_ = 0;
    machine_.LoadSnapshot(std::string(ready.snapshot->data.view()),
                          static_cast<MetadataOffset>(applied_.index));
  }
  Apply(ready.committed);
  for (const raft::ReadState& read : ready.reads) proposals_.Confirmed(read);
  proposals_.AppliedTo(applied_.index);
  if (ready.wants_snapshot) FetchSnapshot();
}

void Driver::Apply(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  std::vector<Committed> committed;
  committed.reserve(entries.size());
  for (const raft::Entry& entry : entries) {
    committed.push_back({static_cast<MetadataOffset>(entry.index), entry.term,
                         std::string(entry.data.view())});
    bytes_since_snapshot_ += entry.data.size() + kEntryOverheadBytes;
  }
  applied_ = entries.back().position();
  machine_.Apply(committed);
  for (const raft::Entry& entry : entries) proposals_.Applied(entry);
}

void Driver::OnWritten(std::vector<raft::Write> writes) {
  for (const raft::Write& write : writes) {
    Send(write.messages);
    core_.OnWritten(write.id);
  }
  Pump();
}

void Driver::Send(const std::vector<raft::Message>& messages) {
  for (const raft::Message& message : messages) peers_.Send(message);
}

void Driver::MaybeTakeSnapshot() {
  if (taking_snapshot_ || applied_.index == snapshot_index_) return;
  const bool asked = machine_.WantsSnapshot();
  if (!asked && bytes_since_snapshot_ < options_.snapshot_every_bytes &&
      applied_.index - snapshot_index_ < options_.snapshot_every_entries)
    return;
  taking_snapshot_ = true;
  bytes_since_snapshot_ = 0;
  const raft::LogPosition last = applied_;
  const raft::LogIndex slack = asked ? 0 : options_.snapshot_slack_entries;
  const raft::LogIndex compact_to = last.index > slack ? last.index - slack : 0;
  const Instant began = executor_.Now();
  raft::MembersPtr members = core_.log().MembersAt(last.index);
  // A list of ids is in the configuration, not in the log.
  if (members && !members->IsAgreed()) members = nullptr;
  raft::Snapshot snapshot{last, SharedBytes(machine_.TakeSnapshot()),
                          std::move(members)};
  LOG(INFO) << "took snapshot offset=" << last.index
            << " bytes=" << snapshot.data.size();
  snapshot_bytes_ = snapshot.data.size();
  storage_->SaveSnapshot(
      std::move(snapshot), compact_to,
      [weak = std::weak_ptr(self_), last, compact_to, began] {
        auto self = weak.lock();
        if (!self) return;
        Driver& driver = *self->driver;
        driver.taking_snapshot_ = false;
        driver.snapshot_times_.Add(driver.executor_.Now() - began);
        driver.snapshot_index_ = std::max(driver.snapshot_index_, last.index);
        driver.core_.Compact(compact_to);
      });
}

void Driver::FetchSnapshot() {
  storage_->LoadSnapshot(
      [weak = std::weak_ptr(self_)](raft::Snapshot snapshot) {
        auto self = weak.lock();
        if (!self) return;
        self->driver->core_.ProvideSnapshot(std::move(snapshot));
        self->driver->SchedulePump();
      });
}

void Driver::Propose(std::string data,
                     std::function<void(Result<MetadataOffset>)> done) {
  if (data.size() > kMaxEntryBytes)
    return done(Fail(ErrorCode::kMessageTooLarge,
                     "a metadata change of " + std::to_string(data.size()) +
                         " bytes is larger than " +
                         std::to_string(kMaxEntryBytes)));
  if (data.empty())
    return done(Fail(ErrorCode::kInvalidRequest, "an empty metadata change"));
  auto position = core_.Propose(SharedBytes(std::move(data)));
  if (!position) return done(Fail(position.error()));
  proposals_.Add(*position, [this, began = executor_.Now(),
                             done = std::move(done)](auto offset) {
    if (offset) commit_times_.Add(executor_.Now() - began);
    done(std::move(offset));
  });
  SchedulePump();
}

void Driver::ReadIndex(std::function<void(Status)> done) {
  if (!core_.IsLeader())
    return done(
        Fail(ErrorCode::kNotController, "this controller does not lead"));
  const uint64_t context = proposals_.AddRead(std::move(done));
  CHECK(core_.ReadIndex(context));
  SchedulePump();
}

void Driver::Change(MemberChange change, Duration limit,
                    std::function<void(Status)> done) {
  if (!active_)
    return done(
        Fail(ErrorCode::kNotController, "this controller does not lead"));
  changes_.Add(std::move(change), executor_.Now() + limit, std::move(done));
  SchedulePump();
}

Status Driver::Transfer(NodeId to) {
  if (core_.IsLeader() && to == options_.self) return {};
  TM_RETURN_IF_ERROR(core_.TransferLeadership(to));
  LOG(INFO) << "handing leadership over to=" << to << " term=" << core_.term();
  SchedulePump();
  return {};
}

QuorumStatus Driver::status() const {
  QuorumStatus status;
  status.self = options_.self;
  status.leader = core_.leader();
  status.term = core_.term();
  status.last = static_cast<MetadataOffset>(core_.log().last_index());
  status.committed = static_cast<MetadataOffset>(core_.log().committed());
  status.applied = static_cast<MetadataOffset>(applied_.index);
  status.snapshot = static_cast<MetadataOffset>(snapshot_index_);
  status.directory = peers_.self().directory;
  if (!core_.members()) return status;
  const auto* leads = std::get_if<raft::Leader>(&core_.role());
  for (const auto& [id, member] : core_.members()->all()) {
    QuorumStatus::Peer peer{.voter = {id, member.host, member.port},
                            .directory = member.directory,
                            .votes = member.votes};
    if (auto seen = FindVoter(id); seen && member.port == 0) peer.voter = *seen;
    if (id == options_.self) {
      peer.match = static_cast<MetadataOffset>(core_.log().durable());
      peer.recently_active = true;
    } else if (leads != nullptr) {
      const raft::Progress& progress = leads->peers.at(id);
      peer.match = static_cast<MetadataOffset>(progress.match());
      peer.recently_active =
          progress.silent_ticks < options_.election_ticks_max;
    } else {
      peer.recently_active = id == core_.leader();
    }
    peer.dropped_messages = peers_.Dropped(id);
    status.peers.push_back(std::move(peer));
  }
  status.times.commit = commit_times_;
  status.times.write = storage_->write_times();
  status.times.snapshot = snapshot_times_;
  status.snapshot_bytes = snapshot_bytes_;
  status.disk_full = storage_->full();
  status.elections_lost = elections_lost_;
  return status;
}

}  // namespace

Result<std::unique_ptr<RaftQuorum>> RaftQuorum::Open(Options options,
                                                     Executor& executor,
                                                     StateMachine& machine) {
  TM_RETURN_IF_ERROR(CheckOptions(options));
  TM_ASSIGN_OR_RETURN(auto storage,
                      storage::RaftStorage::Open(
                          options.directory, options.cluster_id, options.self));
  TM_ASSIGN_OR_RETURN(raft::Stored stored, storage->Load());
  TM_ASSIGN_OR_RETURN(raft::Snapshot snapshot, storage->LoadSnapshot());
  TM_ASSIGN_OR_RETURN(auto directories, storage->LoadPeers());
  return std::make_unique<Driver>(std::move(options), executor, machine,
                                  std::move(storage), std::move(stored),
                                  std::move(snapshot), std::move(directories));
}

}  // namespace tidemark::quorum
