#include "controller/quorum/node.h"

#include <glog/logging.h>

#include <algorithm>
#include <random>
#include <utility>

namespace tidemark::quorum {
namespace {

// After so much time others have their turn: a node that restarts or catches up
// goes on answering its leader, and votes (D-7).
constexpr Duration kTurn = std::chrono::milliseconds(10);
// The first few say enough; a hostile peer must not fill the disk.
constexpr uint64_t kRefusalsTold = 10;

raft::Config CoreConfig(const Options& options, const Uuid& directory) {
  raft::Config config;
  config.self = options.self;
  config.directory = directory;
  for (const Voter& voter : options.voters) config.voters.insert(voter.id);
  config.election_ticks_min = options.election_ticks_min;
  config.election_ticks_max = options.election_ticks_max;
  config.heartbeat_ticks = options.heartbeat_ticks;
  config.max_append_bytes = options.max_append_bytes;
  config.max_inflight_messages = options.max_inflight_messages;
  config.max_promotion_lag = options.max_promotion_lag;
  config.max_apply_bytes = options.max_apply_bytes;
  config.check_snapshots = true;
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

}  // namespace

Node::Node(Options options, const io::MetaProperties& meta, World world,
           StateMachine& machine, Found found)
    : options_(std::move(options)),
      executor_(world.executor),
      disk_(world.disk),
      machine_(machine),
      core_(CoreConfig(options_, meta.directory_id), std::move(found.stored)),
      initial_snapshot_(std::move(found.snapshot)),
      leadership_(machine_, proposals_, changes_),
      snapshots_(options_, executor_, world.background, machine_, disk_, core_),
      disk_watch_(options_, disk_, std::move(world.give_up)),
      self_(std::make_shared<Self>(this)),
      written_(std::make_shared<Disk::Written>(
          [weak = std::weak_ptr(self_)](const std::vector<raft::Write>& done) {
            if (auto self = weak.lock()) self->node->OnWritten(done);
          })),
      peers_(world.transport, SelfOf(options_, meta), options_.voters,
             std::move(found.directories), SaveDirectory()) {}

// First: what others hold of it finds nothing while the rest goes.
Node::~Node() { self_.reset(); }

Peers::Save Node::SaveDirectory() {
  return [weak = std::weak_ptr(self_)](NodeId id, const Uuid& directory,
                                       std::function<void()> done) {
    auto self = weak.lock();
    if (!self) return;
    self->node->disk_.SavePeer(id, directory, [weak, done] {
      if (weak.lock()) done();
    });
  };
}

void Node::Start() {
  started_ = true;
  if (initial_snapshot_.last.index > 0)
    Install(std::exchange(initial_snapshot_, {}));
  FollowMembers();
  peers_.Connect();
  // Nobody to wait for.
  if (core_.voters().IsSingle()) core_.Campaign();
  Tick(executor_.Now());
}

void Node::StreamEnded(NodeId from, const Uuid& directory) {
  // Not of somebody who only has the leader's number.
  const auto& members = core_.members();
  const raft::Member* member = members ? members->Find(from) : nullptr;
  if (member != nullptr && !member->Is(directory)) return;
  core_.LeaderUnreachable(from);
  SchedulePump();
}

void Node::HandOver(Duration limit, std::function<void()> done) {
  if (!core_.TransferLeadership()) return done();
  LOG(INFO) << "handing leadership over term=" << core_.term();
  leadership_.AwaitAnother(std::move(done));
  executor_.PostAfter(limit, [weak = std::weak_ptr(self_)] {
    if (auto self = weak.lock()) self->node->leadership_.StopWaiting();
  });
  SchedulePump();
}

void Node::Meet(const raft::v1::Hello& hello,
                std::function<void(Status)> done) {
  if (started_) return peers_.Meet(hello, std::move(done));
  done(Fail(ErrorCode::kBrokerNotAvailable, "this controller is starting"));
}

void Node::Receive(raft::Message message) {
  const NodeId from = message.from;
  peers_.Heard(from, message.from_directory);
  auto status = core_.Step(std::move(message));
  if (!status && ++refused_messages_ <= kRefusalsTold)
    LOG(WARNING) << "refused a message of controller " << from << ": "
                 << status.error().message;
  SchedulePump();
}

// Ticks keep their pace when one comes late, but a process that was stopped
// for long does not make up for it: it would believe its leader dead.
void Node::Tick(Instant due) {
  core_.Tick();
  peers_.Tick();
  MaybeAgree();
  disk_watch_.Tick(core_.oldest_write_ticks());
  Pump();
  const Instant now = executor_.Now();
  const auto period = std::chrono::milliseconds(options_.tick_ms);
  due = std::max(due + period, now);
  executor_.PostAfter(due - now, [weak = std::weak_ptr(self_), due] {
    if (auto self = weak.lock()) self->node->Tick(due);
  });
}

// Everything that arrives in one turn of the executor shares one Ready: one
// sync, one message to each follower.
void Node::SchedulePump() {
  if (pump_scheduled_) return;
  pump_scheduled_ = true;
  executor_.Post([weak = std::weak_ptr(self_)] {
    auto self = weak.lock();
    if (!self) return;
    self->node->pump_scheduled_ = false;
    self->node->Pump();
  });
}

void Node::Pump() {
  const Instant end = executor_.Now() + kTurn;
  while (true) {
    leadership_.Follow(core_, applied_);
    changes_.Progress(core_, executor_.Now());
    FollowMembers();
    raft::Ready ready = core_.TakeReady();
    if (ready.empty() && !MayApply()) break;
    CarryOut(std::move(ready));
    if (executor_.Now() >= end) {
      SchedulePump();
      break;
    }
  }
  if (!loading_) snapshots_.MaybeTake(applied_);
}

void Node::FollowMembers() {
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
void Node::MaybeAgree() {
  if (!leadership_.active() || !changes_.empty() || !core_.IsLeader()) return;
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

void Node::CarryOut(raft::Ready ready) {
  Send(ready.messages);
  if (ready.write) disk_.Write(std::move(*ready.write), written_);
  if (ready.snapshot) {
    LOG(INFO) << "got snapshot offset=" << ready.snapshot->last.index
              << " bytes=" << ready.snapshot->data.size();
    Install(std::move(*ready.snapshot));
  }
  if (!loading_ && backlog_.empty()) {
    Apply(ready.committed);
  } else {
    backlog_.insert(backlog_.end(), ready.committed.begin(),
                    ready.committed.end());
    if (!loading_) ApplyBacklog();
  }
  for (const raft::ReadState& read : ready.reads) proposals_.Confirmed(read);
  proposals_.AppliedTo(applied_.index);
  if (ready.wants_snapshot) FetchSnapshot();
  if (ready.check) Check(std::move(*ready.check));
}

// Before it takes the place of the log on the disk.
void Node::Check(raft::SnapshotCheck check) {
  const uint64_t id = check.id;
  snapshots_.Check(std::move(check), [this, id](const Status& status) {
    if (!status && ++refused_messages_ <= kRefusalsTold)
      LOG(WARNING) << "refused a snapshot of the leader: "
                   << status.error().message;
    core_.SnapshotChecked(id, status.has_value());
    SchedulePump();
  });
}

// The core goes on meanwhile: this node answers its leader, votes, and stores
// what comes.
void Node::Install(raft::Snapshot snapshot) {
  loading_ = true;
  backlog_.clear();
  const raft::LogPosition last = snapshot.last;
  snapshots_.Load(std::move(snapshot), [this, last] {
    loading_ = false;
    applied_ = last;
    TellWhatIsStillThere(last.index);
    SchedulePump();
  });
}

void Node::TellWhatIsStillThere(raft::LogIndex last) {
  const raft::Log& log = core_.log();
  for (raft::LogIndex i = log.base().index + 1; i <= last; ++i)
    machine_.StillInLog(log.At(i).data.view());
}

// In slices like those of the core.
void Node::ApplyBacklog() {
  std::vector<raft::Entry> slice;
  size_t bytes = 0;
  while (!backlog_.empty() && bytes < options_.max_apply_bytes) {
    bytes += backlog_.front().data.size();
    slice.push_back(std::move(backlog_.front()));
    backlog_.pop_front();
  }
  Apply(slice);
}

void Node::Apply(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  std::vector<Committed> committed;
  committed.reserve(entries.size());
  for (const raft::Entry& entry : entries)
    committed.push_back({static_cast<MetadataOffset>(entry.index), entry.term,
                         std::string(entry.data.view())});
  snapshots_.Count(entries);
  applied_ = entries.back().position();
  machine_.Apply(committed);
  for (const raft::Entry& entry : entries) proposals_.Applied(entry);
}

void Node::OnWritten(const std::vector<raft::Write>& writes) {
  for (const raft::Write& write : writes) {
    Send(write.messages);
    core_.OnWritten(write.id);
  }
  Pump();
}

void Node::Send(const std::vector<raft::Message>& messages) {
  for (const raft::Message& message : messages) peers_.Send(message);
}

void Node::FetchSnapshot() {
  disk_.LoadSnapshot([weak = std::weak_ptr(self_)](raft::Snapshot snapshot) {
    auto self = weak.lock();
    if (!self) return;
    self->node->core_.ProvideSnapshot(std::move(snapshot));
    self->node->SchedulePump();
  });
}

void Node::Propose(std::string data,
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

void Node::ReadIndex(std::function<void(Status)> done) {
  if (!core_.IsLeader())
    return done(
        Fail(ErrorCode::kNotController, "this controller does not lead"));
  const uint64_t context = proposals_.AddRead(std::move(done));
  CHECK(core_.ReadIndex(context));
  SchedulePump();
}

void Node::Change(MemberChange change, Duration limit,
                  std::function<void(Status)> done) {
  if (!leadership_.active())
    return done(
        Fail(ErrorCode::kNotController, "this controller does not lead"));
  changes_.Add(std::move(change), executor_.Now() + limit, std::move(done));
  SchedulePump();
}

Status Node::Transfer(NodeId to) {
  if (core_.IsLeader() && to == options_.self) return {};
  TM_RETURN_IF_ERROR(core_.TransferLeadership(to));
  LOG(INFO) << "handing leadership over to=" << to << " term=" << core_.term();
  SchedulePump();
  return {};
}

}  // namespace tidemark::quorum
