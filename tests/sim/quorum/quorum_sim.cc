#include "tests/sim/quorum/quorum_sim.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/raft/invariants.h"
#include "controller/raft/raft.h"
#include "tests/support/raft_disk.h"

namespace tidemark::sim {
namespace {

using raft::LogIndex;
using raft::Members;
using raft::MembersPtr;
using raft::Message;
using raft::NodeView;
using raft::Raft;

constexpr uint64_t kTickUs = 50'000;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  uint64_t Between(uint64_t low, uint64_t high) {
    return low + Below(high - low + 1);
  }
  bool Chance(uint32_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

// Folds text into a running digest (FNV-1a), so that runs can be compared.
uint64_t Fold(uint64_t digest, std::string_view text) {
  for (char c : text)
    digest = (digest ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return digest;
}

// What a node applies: how many entries, and a chain over their data.
struct State {
  LogIndex applied = 0;
  uint64_t chain = 14695981039346656037ull;  // members too

  std::string Pack(size_t padding) const {
    return std::to_string(applied) + " " + std::to_string(chain) + " " +
           std::string(padding, '.');
  }
  static State Unpack(std::string_view text) {
    State state;
    const std::string copy(text);
    size_t used = 0;
    state.applied = std::stoull(copy, &used);
    state.chain = std::stoull(copy.substr(used + 1));
    return state;
  }
};

class Simulation {
 public:
  explicit Simulation(const QuorumSimOptions& options);
  QuorumSimResult Run();

 private:
  // What the disk is asked to do, in order.
  struct Job {
    raft::Write write;
    std::optional<raft::Snapshot> snapshot;  // of the own state machine
    LogIndex compact_to = 0;
    bool applied = false;  // only a lying disk: not yet on the platter
  };
  struct Node {
    raft::Config config;
    raft::RaftDisk disk;
    std::unique_ptr<Raft> core;
    std::deque<Job> jobs;
    std::deque<Job> lied;  // acknowledged, but not there
    State state;
    uint64_t incarnation = 0;
    bool paused = false;
    std::deque<Message> while_paused;
    bool pump_scheduled = false;
    bool snapshot_queued = false;
    bool slow_disk = false;
    uint64_t hung_until = 0;  // its disk finishes nothing before
    LogIndex snapshot_index = 0;
    std::map<uint64_t, LogIndex> reads;  // context -> committed at the time
  };
  struct Event {
    uint64_t at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };
  // An event of a node that is gone when the node has restarted since.
  void At(uint64_t delay_us, std::function<void()> run) {
    events_.push({now_ + delay_us, next_order_++, std::move(run)});
  }
  void AtNode(uint64_t delay_us, NodeId id, std::function<void(Node&)> run) {
    At(delay_us,
       [this, id, incarnation = nodes_[id].incarnation, run = std::move(run)] {
         Node& node = nodes_[id];
         if (node.core && node.incarnation == incarnation) run(node);
       });
  }

  Node& Make(NodeId id, MembersPtr members, const std::set<NodeId>& voters);
  void Start(NodeId id);
  void Wipe(NodeId id);
  bool CanLose(NodeId id);
  bool Outlives(const Members& members, NodeId without);
  std::vector<MembersPtr> Configurations(const Node& node);
  void Operator();
  std::optional<Members> Wish(NodeId leader);
  void Kill(NodeId id);
  NodeId LeaderId() const;
  void Tick(NodeId id);
  void SchedulePump(NodeId id);
  void Pump(NodeId id);
  void CarryOut(NodeId id, raft::Ready ready);
  void Load(NodeId id, const raft::Snapshot& snapshot);
  void Apply(NodeId id, const std::vector<raft::Entry>& entries);
  void MaybeSnapshot(NodeId id);
  void StartJob(NodeId id);
  void FinishJob(NodeId id);
  void Persist(Node& node, const Job& job);
  void Send(const Message& message);
  void Deliver(const Message& message);
  void Client();
  void Fault();
  void HangDisk(NodeId id, uint64_t duration_us);
  void HangLeader();
  void WatchProgress();
  void Heal();
  void CheckAll();
  void Fail(const std::string& what);
  bool Settled();
  NodeId Any() { return static_cast<NodeId>(1 + random_.Below(nodes_.size())); }
  Uuid NewDirectory() {
    Uuid directory;
    directory.bytes[15] = static_cast<uint8_t>(++directories_);
    directory.bytes[14] = static_cast<uint8_t>(directories_ >> 8);
    return directory;
  }
  void Note(const std::string& what) {
    result_.digest = Fold(result_.digest, std::to_string(now_) + what);
  }

  const QuorumSimOptions options_;
  Random random_;
  uint64_t now_ = 0;
  uint64_t next_order_ = 0;
  std::priority_queue<Event> events_;
  std::map<NodeId, Node> nodes_;
  // What they held when they were last seen: who acknowledged it had it.
  struct LostDisk {
    NodeId id;
    Uuid directory;
    raft::RaftDisk disk;
  };
  std::vector<LostDisk> lost_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  uint32_t drop_percent_ = 0;
  uint32_t duplicate_percent_ = 0;
  uint64_t max_delay_us_ = 2'000;
  size_t snapshot_padding_ = 0;
  LogIndex snapshot_every_ = 20;
  uint64_t next_value_ = 1;
  uint64_t next_context_ = 1;
  size_t window_ = 128;
  size_t append_bytes_ = 512 * 1024;
  uint32_t directories_ = 0;
  int faults_left_;
  bool healing_ = false;
  uint64_t progress_at_ = 0;  // a leader applied something new
  LogIndex progress_to_ = 0;
  std::map<LogIndex, uint64_t> chains_;     // the state after each entry
  std::map<LogIndex, MembersPtr> members_;  // as they were committed
  std::set<raft::Term> terms_led_;
  std::unique_ptr<raft::InvariantChecker> checker_;
  QuorumSimResult result_;
};

Simulation::Simulation(const QuorumSimOptions& options)
    : options_(options), random_(options.seed), faults_left_(options.faults) {
  std::set<NodeId> voters;
  for (NodeId id = 1; id <= options.nodes; ++id) voters.insert(id);
  checker_ = std::make_unique<raft::InvariantChecker>();
  // Some runs with snapshots of many chunks, some with small windows.
  if (random_.Chance(10)) snapshot_padding_ = raft::kSnapshotChunkBytes * 5 / 2;
  snapshot_every_ = random_.Between(5, 60);
  if (random_.Chance(50)) window_ = random_.Between(1, 4);
  if (random_.Chance(50)) append_bytes_ = 30;
  Members first;
  for (NodeId id : voters) first.Put({.id = id, .directory = NewDirectory()});
  MembersPtr agreed;
  if (options.changes && random_.Chance(50)) {
    agreed = std::make_shared<Members>(first);
    members_[0] = agreed;
  }
  for (NodeId id : voters) {
    Node& node = Make(id, agreed, agreed ? std::set<NodeId>() : voters);
    node.config.directory = first.Find(id)->directory;
    Start(id);
  }
  for (NodeId id = options.nodes + 1;
       options.changes && id <= options.nodes + 2; ++id) {
    Make(id, nullptr, {}).config.directory = NewDirectory();
    Start(id);
  }
}

Simulation::Node& Simulation::Make(NodeId id, MembersPtr members,
                                   const std::set<NodeId>& voters) {
  Node& node = nodes_[id];
  node.config.self = id;
  node.config.voters = voters;
  node.config.max_inflight_messages = window_;
  node.config.max_append_bytes = append_bytes_;
  node.config.max_apply_bytes = random_.Chance(50) ? 20 : 4 << 20;
  node.config.max_promotion_lag = random_.Chance(50) ? 3 : 256;
  node.disk.Format(std::move(members));
  return node;
}

void Simulation::Start(NodeId id) {
  Node& node = nodes_[id];
  ++node.incarnation;
  node.config.seed = random_.Next();
  node.core = std::make_unique<Raft>(node.config, node.disk.stored());
  node.jobs.clear();
  node.lied.clear();
  node.reads.clear();
  node.while_paused.clear();
  node.paused = node.pump_scheduled = node.snapshot_queued = false;
  node.state = State{};
  node.snapshot_index = node.disk.snapshot().last.index;
  if (node.snapshot_index > 0)
    node.state = State::Unpack(node.disk.snapshot().data.view());
  AtNode(random_.Below(kTickUs), id, [this, id](Node&) { Tick(id); });
  Note("start" + std::to_string(id));
}

// Power off: of what was on its way to the disk, any beginning may be there.
void Simulation::Kill(NodeId id) {
  Node& node = nodes_[id];
  if (!node.core) return;
  if (!options_.disk_lies) {
    for (uint64_t left = random_.Below(node.jobs.size() + 1); left > 0;
         --left) {
      Persist(node, node.jobs.front());
      node.jobs.pop_front();
    }
  }
  node.core.reset();
  ++node.incarnation;
  Note("kill" + std::to_string(id));
  // The others' streams break, mostly.
  for (auto& [other, unused] : nodes_) {
    if (other == id || !random_.Chance(70)) continue;
    AtNode(random_.Between(100, 5'000), other, [this, id, other](Node& node) {
      node.core->LeaderUnreachable(id);
      SchedulePump(other);
    });
  }
}

// The disk is gone; a blank one takes its place, under the same id.
void Simulation::Wipe(NodeId id) {
  Kill(id);
  Node& node = nodes_[id];
  lost_.push_back({id, node.config.directory, node.disk});
  node.disk = raft::RaftDisk();
  node.config.directory = NewDirectory();
  node.config.voters.clear();
  Start(id);
  ++result_.wiped;
}

// Whether enough of the voters are there, or will be, for a majority.
bool Simulation::Outlives(const Members& members, NodeId without) {
  size_t left = 0;
  const std::set<NodeId> voters = members.Voters();
  for (NodeId id : voters) {
    const Uuid& directory = members.Find(id)->directory;
    left += id != without && directory == nodes_[id].config.directory;
  }
  return left * 2 > voters.size();
}

// All that may be in force for a node from now on.
std::vector<MembersPtr> Simulation::Configurations(const Node& node) {
  std::vector<MembersPtr> all;
  auto add = [&](MembersPtr members) {
    if (members) all.push_back(std::move(members));
  };
  auto stored = raft::Log(
      node.disk.stored(),
      node.config.voters.empty()
          ? nullptr
          : std::make_shared<Members>(Members::OfVoters(node.config.voters)));
  const raft::Log& log = node.core ? node.core->log() : stored;
  add(log.MembersAt(log.committed()));
  for (LogIndex i = std::max(log.committed() + 1, log.first());
       i <= log.last_index(); ++i)
    add(log.At(i).members);
  return all;
}

bool Simulation::CanLose(NodeId id) {
  for (auto& [unused, node] : nodes_)
    for (const MembersPtr& members : Configurations(node))
      if (!members->IsAgreed() || !Outlives(*members, id)) return false;
  return true;
}

// Changes the quorum as an operator would who does not destroy it knowingly,
// at whoever believes to lead.
void Simulation::Operator() {
  for (auto& [id, node] : nodes_) {
    if (healing_ || !node.core || node.paused || !node.core->IsLeader())
      continue;
    auto next = Wish(id);
    if (!next || (next->IsAgreed() && !Outlives(*next, kNoNode))) continue;
    (void)node.core->ChangeMembers(std::move(*next));
    SchedulePump(id);
  }
  At(random_.Between(5'000, 400'000), [this] { Operator(); });
}

std::optional<Members> Simulation::Wish(NodeId leader) {
  Members next = *nodes_[leader].core->members();
  if (!next.IsAgreed()) {
    for (NodeId id : next.Voters())
      next.Put({.id = id, .directory = nodes_[id].config.directory});
    return next;
  }
  const NodeId id = Any();
  const raft::Member* member = next.Find(id);
  const Uuid& directory = nodes_[id].config.directory;
  if (member == nullptr) {
    next.Put({.id = id, .directory = directory, .votes = random_.Chance(10)});
  } else if (!member->votes && random_.Chance(80)) {
    next.Put({.id = id, .directory = member->directory, .votes = true});
  } else if (member->directory != directory || random_.Chance(30)) {
    next.Remove(id);
    // What is refused, mostly.
    if (random_.Chance(10)) next.Remove(Any());
    if (random_.Chance(10)) next.Put({.id = id, .directory = directory});
  } else {
    return std::nullopt;
  }
  return next;
}

void Simulation::Tick(NodeId id) {
  Node& node = nodes_[id];
  if (!node.paused) {
    node.core->Tick();
    Pump(id);
  }
  // No two clocks run alike.
  AtNode(kTickUs + random_.Below(2'000), id, [this, id](Node&) { Tick(id); });
}

void Simulation::SchedulePump(NodeId id) {
  Node& node = nodes_[id];
  if (node.pump_scheduled) return;
  node.pump_scheduled = true;
  AtNode(random_.Below(500), id, [this, id](Node& node) {
    node.pump_scheduled = false;
    if (!node.paused) Pump(id);
  });
}

void Simulation::Pump(NodeId id) {
  Node& node = nodes_[id];
  while (true) {
    if (node.core->IsLeader()) terms_led_.insert(node.core->term());
    raft::Ready ready = node.core->TakeReady();
    if (ready.empty()) break;
    CarryOut(id, std::move(ready));
  }
  MaybeSnapshot(id);
}

void Simulation::CarryOut(NodeId id, raft::Ready ready) {
  Node& node = nodes_[id];
  for (const Message& message : ready.messages) Send(message);
  if (ready.write) {
    node.jobs.push_back({std::move(*ready.write), std::nullopt, 0, false});
    if (node.jobs.size() == 1) StartJob(id);
  }
  if (ready.snapshot) {
    ++result_.snapshots;
    if (node.core->IsLeader()) Fail("R-09: a leader installs a snapshot");
    Load(id, *ready.snapshot);
  }
  Apply(id, ready.committed);
  for (const raft::ReadState& read : ready.reads) {
    auto asked = node.reads.find(read.context);
    if (asked == node.reads.end()) return Fail("a read nobody asked for");
    if (read.index < asked->second)
      Fail("stale read at " + std::to_string(read.index) + ", committed was " +
           std::to_string(asked->second));
    ++result_.reads;
    node.reads.erase(asked);
  }
  if (ready.wants_snapshot) {
    AtNode(random_.Below(20'000), id, [this, id](Node& node) {
      node.core->ProvideSnapshot(node.disk.snapshot());
      SchedulePump(id);
    });
  }
}

void Simulation::Load(NodeId id, const raft::Snapshot& snapshot) {
  Node& node = nodes_[id];
  node.state = State::Unpack(snapshot.data.view());
  node.snapshot_index = snapshot.last.index;
  auto known = chains_.find(snapshot.last.index);
  if (node.state.applied != snapshot.last.index || known == chains_.end() ||
      known->second != node.state.chain)
    Fail("R-10: snapshot " + ToString(snapshot.last) + " holds another state");
  auto members = members_.upper_bound(snapshot.last.index);
  const MembersPtr expected =
      members == members_.begin() ? nullptr : std::prev(members)->second;
  if ((expected == nullptr) != (snapshot.members == nullptr) ||
      (expected && *expected != *snapshot.members))
    Fail("R-17: snapshot " + ToString(snapshot.last) + " has other members");
}

void Simulation::Apply(NodeId id, const std::vector<raft::Entry>& entries) {
  Node& node = nodes_[id];
  for (const raft::Entry& entry : entries) {
    if (entry.index != ++node.state.applied)
      return Fail("node " + std::to_string(id) + " applies out of order");
    node.state.chain =
        Fold(node.state.chain,
             std::to_string(entry.term) + ":" + std::string(entry.data.view()) +
                 (entry.members ? Encode(*entry.members) : std::string()));
    if (entry.members && members_.emplace(entry.index, entry.members).second)
      ++result_.changes;
    auto [known, first] = chains_.emplace(entry.index, node.state.chain);
    if (known->second != node.state.chain)
      return Fail("R-10: node " + std::to_string(id) +
                  " reaches another state at " + ToString(entry.position()));
  }
}

void Simulation::MaybeSnapshot(NodeId id) {
  Node& node = nodes_[id];
  const LogIndex applied = node.core->log().applied();
  if (node.snapshot_queued || applied < node.snapshot_index + snapshot_every_)
    return;
  node.snapshot_queued = true;
  const LogIndex slack = random_.Below(snapshot_every_);
  MembersPtr members = node.core->log().MembersAt(applied);
  // Of a list in a configuration file nothing is known to the log.
  if (members && !members->IsAgreed()) members = nullptr;
  raft::Snapshot snapshot{{applied, *node.core->log().TermAt(applied)},
                          SharedBytes(node.state.Pack(snapshot_padding_)),
                          members};
  node.jobs.push_back(
      {{}, std::move(snapshot), applied > slack ? applied - slack : 0, false});
  if (node.jobs.size() == 1) StartJob(id);
}

void Simulation::StartJob(NodeId id) {
  Node& node = nodes_[id];
  uint64_t takes = random_.Between(50, 3'000);
  if (node.slow_disk) takes *= random_.Between(1, 200);
  AtNode(takes, id, [this, id](Node&) { FinishJob(id); });
}

void Simulation::Persist(Node& node, const Job& job) {
  if (job.snapshot) {
    node.disk.SaveSnapshot(*job.snapshot, job.compact_to);
  } else {
    node.disk.Apply(job.write);
  }
}

void Simulation::FinishJob(NodeId id) {
  Node& node = nodes_[id];
  if (now_ < node.hung_until)
    return AtNode(kTickUs, id, [this, id](Node&) { FinishJob(id); });
  Job job = std::move(node.jobs.front());
  node.jobs.pop_front();
  if (!node.jobs.empty()) StartJob(id);
  if (options_.disk_lies) {
    // The platter is behind by a few jobs.
    node.lied.push_back(job);
    if (node.lied.size() > 3) {
      Persist(node, node.lied.front());
      node.lied.pop_front();
    }
  } else {
    Persist(node, job);
  }
  if (job.snapshot) {
    node.snapshot_queued = false;
    node.snapshot_index =
        std::max(node.snapshot_index, job.snapshot->last.index);
    node.core->Compact(std::min(job.compact_to, node.core->log().applied()));
    return;
  }
  // A paused process learns of its disk later, but in order.
  if (node.paused) {
    node.paused = false;
    for (const Message& message : std::exchange(node.while_paused, {}))
      Deliver(message);
  }
  for (const Message& message : job.write.messages) Send(message);
  node.core->OnWritten(job.write.id);
  SchedulePump(id);
}

void Simulation::Send(const Message& message) {
  if (cuts_.contains({message.from, message.to})) return;
  if (random_.Chance(drop_percent_)) return;
  const int copies = random_.Chance(duplicate_percent_) ? 2 : 1;
  for (int i = 0; i < copies; ++i)
    At(random_.Between(50, max_delay_us_),
       [this, message] { Deliver(message); });
}

void Simulation::Deliver(const Message& message) {
  Node& node = nodes_[message.to];
  if (!node.core) return;
  if (node.paused) {
    node.while_paused.push_back(message);
    return;
  }
  Note(ToString(message));
  auto status = node.core->Step(message);
  // Correct nodes send nothing that is refused.
  if (!status) Fail("refused: " + status.error().message);
  SchedulePump(message.to);
}

// Proposes and reads wherever somebody believes to lead.
void Simulation::Client() {
  for (auto& [id, node] : nodes_) {
    if (!node.core || node.paused || !node.core->IsLeader()) continue;
    if (random_.Chance(70))
      (void)node.core->Propose(
          SharedBytes("v" + std::to_string(next_value_++)));
    if (random_.Chance(30)) {
      const uint64_t context = next_context_++;
      if (node.core->ReadIndex(context))
        node.reads[context] = checker_->last_committed();
    }
    SchedulePump(id);
  }
  At(random_.Between(1'000, 60'000), [this] { Client(); });
}

void Simulation::Fault() {
  if (faults_left_-- <= 0) return Heal();
  if (options_.only_hung_disks) return HangLeader();
  const NodeId a = Any(), b = Any();
  switch (random_.Below(options_.changes ? 16 : 14)) {
    case 13:  // the stream of somebody who lives breaks
      if (nodes_[b].core && !nodes_[b].paused) {
        nodes_[b].core->LeaderUnreachable(a);
        SchedulePump(b);
      }
      break;
    case 14:
    case 15:
      if (CanLose(a)) Wipe(a);
      break;
    case 0:
    case 1:
      Kill(a);
      break;
    case 2:
    case 3:
      for (auto& [id, node] : nodes_)
        if (!node.core) Start(id);
      break;
    case 4:
      if (a != b) cuts_.insert({a, b});
      break;
    case 5:  // a whole node, both ways
      for (auto& [id, node] : nodes_) {
        if (id == a) continue;
        cuts_.insert({a, id});
        cuts_.insert({id, a});
      }
      break;
    case 6:
    case 7:
      cuts_.clear();
      break;
    case 8:
      drop_percent_ = random_.Chance(50) ? 0 : random_.Between(1, 30);
      duplicate_percent_ = random_.Chance(50) ? 0 : random_.Between(1, 30);
      max_delay_us_ =
          random_.Chance(50) ? 2'000 : random_.Between(2'000, 200'000);
      break;
    case 11:  // somebody who leads wants to go
      for (auto& [id, node] : nodes_) {
        if (!node.core || node.paused || !node.core->IsLeader()) continue;
        if (node.core->TransferLeadership()) ++result_.transfers;
        SchedulePump(id);
      }
      break;
    case 9:
      nodes_[a].slow_disk = !nodes_[a].slow_disk;
      break;
    case 12:
      HangDisk(a, random_.Between(500'000, 20'000'000));
      break;
    case 10: {
      Node& node = nodes_[a];
      if (!node.core || node.paused) break;
      node.paused = true;
      AtNode(random_.Between(100'000, 3'000'000), a, [this, a](Node& node) {
        node.paused = false;
        for (const Message& message : std::exchange(node.while_paused, {}))
          Deliver(message);
        SchedulePump(a);
      });
      break;
    }
  }
  At(random_.Between(5'000, 1'200'000), [this] { Fault(); });
}

void Simulation::HangDisk(NodeId id, uint64_t duration_us) {
  nodes_[id].hung_until = now_ + duration_us;
  Note("hang" + std::to_string(id));
}

NodeId Simulation::LeaderId() const {
  for (const auto& [id, node] : nodes_)
    if (node.core && node.core->IsLeader()) return id;
  return kNoNode;
}

// The one fault that a leader does not notice by its connections: it hears
// its followers, and they have everything, but its own disk stands still.
void Simulation::HangLeader() {
  // Whoever stood still has to catch up first: the others must be a majority.
  const bool all_wait =
      std::all_of(nodes_.begin(), nodes_.end(),
                  [](const auto& node) { return node.second.jobs.size() < 2; });
  if (!all_wait || !Settled()) return At(200'000, [this] { HangLeader(); });
  const uint64_t lasts = random_.Between(5'000'000, 60'000'000);
  progress_at_ = now_;
  HangDisk(LeaderId(), lasts);
  ++result_.hung_leaders;
  At(lasts + random_.Between(1'000'000, 4'000'000), [this] { Fault(); });
}

// All others have a disk and each other: two election timeouts after it stood
// still, and ever after, there is a leader that applies what it is told.
void Simulation::WatchProgress() {
  for (auto& [id, node] : nodes_) {
    if (!node.core->IsLeader() || node.state.applied <= progress_to_) continue;
    progress_to_ = node.state.applied;
    progress_at_ = now_;
  }
  const raft::Config& config = nodes_.begin()->second.config;
  if (result_.hung_leaders > 0 &&
      now_ > progress_at_ + 2 * config.election_ticks_max * kTickUs)
    Fail("R-27: no leader has applied anything for two election timeouts");
  At(10'000, [this] { WatchProgress(); });
}

void Simulation::Heal() {
  healing_ = true;
  cuts_.clear();
  drop_percent_ = duplicate_percent_ = 0;
  max_delay_us_ = 2'000;
  for (auto& [id, node] : nodes_) {
    node.slow_disk = false;
    node.hung_until = std::min(node.hung_until, now_);
    if (!node.core) Start(id);
  }
}

void Simulation::CheckAll() {
  std::vector<NodeView> views;
  views.reserve(nodes_.size());
  for (auto& [id, node] : nodes_)
    views.push_back(
        {id, node.config.directory, node.core.get(), &node.disk.stored()});
  for (const LostDisk& lost : lost_)
    views.push_back({lost.id, lost.directory, nullptr, &lost.disk.stored()});
  if (auto broken = checker_->Check(views)) Fail(*broken);
}

void Simulation::Fail(const std::string& what) {
  if (result_.failure) return;
  std::string text = "seed " + std::to_string(options_.seed) + ", " +
                     std::to_string(options_.nodes) + " nodes, at " +
                     std::to_string(now_ / 1000) + " ms: " + what;
  for (auto& [id, node] : nodes_) {
    text += "\n  node " + std::to_string(id);
    if (!node.core) continue;
    const raft::Log& log = node.core->log();
    text += " term=" + std::to_string(node.core->term()) +
            " leader=" + std::to_string(node.core->leader()) +
            " log=" + ToString(log.last()) +
            " committed=" + std::to_string(log.committed()) + " members={" +
            (log.members() ? ToString(*log.members()) : "") + "} since " +
            std::to_string(log.members_index()) +
            (node.core->IsVoter() ? " votes" : "");
  }
  result_.failure = text;
}

// Everyone has applied everything, under one leader, and it is something new.
bool Simulation::Settled() {
  const Node* leader = nullptr;
  for (auto& [id, node] : nodes_)
    if (node.core->IsLeader()) leader = &node;
  if (leader == nullptr || !leader->core->IsVoter()) return false;
  for (auto& [id, node] : nodes_) {
    const raft::Member* member = leader->core->members()->Find(id);
    if (member == nullptr || !member->Is(node.config.directory)) continue;
    if (node.core->term() != leader->core->term() ||
        node.state.applied + 5 < checker_->last_committed())
      return false;
  }
  return leader->core->log().TermAt(leader->core->log().committed()) ==
         leader->core->term();
}

QuorumSimResult Simulation::Run() {
  At(0, [this] { Client(); });
  At(options_.only_hung_disks ? 3'000'000 : 100'000, [this] { Fault(); });
  if (options_.only_hung_disks) At(0, [this] { WatchProgress(); });
  if (options_.changes) At(random_.Below(2'000'000), [this] { Operator(); });
  uint64_t deadline = UINT64_MAX;
  LogIndex committed_at_heal = 0;
  while (!result_.failure && !events_.empty()) {
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_ = event.at;
    event.run();
    ++result_.events;
    CheckAll();
    if (!healing_) continue;
    if (deadline == UINT64_MAX) {
      // A pause may still last three seconds.
      deadline = now_ + 13'000'000;
      committed_at_heal = checker_->last_committed();
    }
    if (now_ + 10'000'000 > deadline &&
        checker_->last_committed() > committed_at_heal + 20 && Settled())
      break;
    if (now_ > deadline)
      Fail(
          "R-27: ten seconds after everything was healed the nodes have not "
          "come together");
  }
  result_.elections = terms_led_.size();
  result_.committed = checker_->last_committed();
  result_.virtual_ms = now_ / 1000;
  return result_;
}

}  // namespace

QuorumSimResult RunQuorumSim(const QuorumSimOptions& options) {
  return Simulation(options).Run();
}

}  // namespace tidemark::sim
