#include "tests/sim/cluster/controllers.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/metadata/apply.h"
#include "common/metadata/features.h"

namespace tidemark::sim {

Uuid RandomUuid(Scheduler& scheduler) {
  Uuid id;
  for (auto& byte : id.bytes) byte = static_cast<uint8_t>(scheduler.Below(256));
  return id;
}

namespace {

constexpr int kSnapshotPerMille = 10;  // of what is applied

}  // namespace

class Controllers::Node final : public quorum::Quorum {
 public:
  Node(Controllers& all, NodeId id, uint64_t number)
      : process{"controller-" + std::to_string(id)},
        life(number),
        all_(all),
        id_(id) {
    Scheduler& scheduler = all.scheduler_;
    executor = std::make_unique<SimExecutor>(scheduler, &process, "events");
    controller::ControllerOptions options;
    options.self = id;
    options.settings.cluster_id = kClusterId;
    options.balance_interval = std::chrono::seconds(5);
    options.bootstrap_levels = {
        {metadata::kMetadataVersion, metadata::kNewestLevel}};
    if (all.transactions_) {
      options.bootstrap_levels[metadata::kTransactionVersion] = 2;
    }
    controller::Randomness random;
    random.topic_id = [&scheduler] { return RandomUuid(scheduler); };
    random.below = [&scheduler](size_t bound) {
      return static_cast<size_t>(scheduler.Below(static_cast<int64_t>(bound)));
    };
    controller = std::make_unique<controller::Controller>(
        options, executor.get(), std::move(random));
    controller->Attach(this);
  }

  void Propose(std::string data,
               std::function<void(Result<MetadataOffset>)> done) override {
    all_.Propose(id_, std::move(data), std::move(done));
  }
  void ReadIndex(std::function<void(Status)> done) override {
    done(all_.leader_ == id_ ? Status() : Fail(ErrorCode::kNotController));
  }
  void Change(quorum::MemberChange, Duration,
              std::function<void(Status)> done) override {
    done(Fail(ErrorCode::kUnsupportedVersion));
  }
  Status Transfer(NodeId) override {
    return Fail(ErrorCode::kUnsupportedVersion);
  }
  std::optional<FeatureRanges> FeaturesOf(const raft::Member&) const override {
    return metadata::SupportedFeatures();
  }
  quorum::QuorumStatus status() const override {
    quorum::QuorumStatus status;
    status.self = id_;
    status.leader = all_.leader_;
    status.term = all_.term_;
    status.committed = static_cast<MetadataOffset>(all_.log_.size());
    status.last =
        status.committed + static_cast<MetadataOffset>(all_.proposed_.size());
    return status;
  }
  NodeId leader() const override { return all_.leader_; }
  std::optional<quorum::Voter> FindVoter(NodeId id) const override {
    return quorum::Voter{id, std::to_string(id), 1};
  }

  // What it has on its disk.
  void Load() {
    const auto found = all_.snapshots_.find(id_);
    if (found == all_.snapshots_.end()) return;
    executor->Post([this, snapshot = found->second] {
      (*controller->ReadSnapshot(SharedBytes(snapshot.second),
                                 snapshot.first))();
      applied_ = static_cast<size_t>(snapshot.first);
    });
  }
  // The log up to `end`, in order; `then` after it.
  void CatchUp(size_t end, std::function<void()> then) {
    executor->Post([this, end, then = std::move(then)] {
      if (applied_ < end) {
        const size_t from = std::exchange(applied_, end);
        controller->Apply({all_.log_.data() + from, end - from});
        if (all_.scheduler_.Chance(kSnapshotPerMille)) {
          all_.snapshots_[id_] = {static_cast<MetadataOffset>(end),
                                  ToBytes(*controller->TakeSnapshot())};
        }
      }
      if (then) then();
    });
  }

  Process process;
  const uint64_t life;
  std::unique_ptr<SimExecutor> executor;
  std::unique_ptr<controller::Controller> controller;

 private:
  Controllers& all_;
  const NodeId id_;
  size_t applied_ = 0;
};

Controllers::Controllers(Scheduler& scheduler, bool transactions)
    : scheduler_(scheduler), transactions_(transactions) {
  // What the executors read in place must not move.
  log_.reserve(1 << 20);
  for (int i = 0; i < kControllers; ++i) {
    nodes_.push_back(
        std::make_unique<Node>(*this, kFirstController + i, ++lives_));
  }
  Elect(kFirstController);
}

Controllers::~Controllers() = default;

controller::Controller& Controllers::at(NodeId id) {
  return *Find(id).controller;
}

SimExecutor& Controllers::executor(NodeId id) { return *Find(id).executor; }

uint64_t Controllers::life(NodeId id) {
  const auto& node = nodes_[static_cast<size_t>(id - kFirstController)];
  return node == nullptr ? 0 : node->life;
}

bool Controllers::MostLive() const {
  return std::ranges::count_if(nodes_, [](const auto& node) {
           return node == nullptr;
         }) <= kControllers / 2;
}

void Controllers::Stop() {
  stopped_ = true;
  for (auto& node : nodes_) {
    if (node != nullptr) node->executor->Stop();
  }
}

void Controllers::Propose(NodeId from, std::string data,
                          std::function<void(Result<MetadataOffset>)> done) {
  if (from != leader_) return done(Fail(ErrorCode::kNotController));
  proposed_.push_back({std::move(data), std::move(done)});
  scheduler_.After(scheduler_.Between(std::chrono::microseconds(200),
                                      std::chrono::milliseconds(3)),
                   [this, term = term_] { CommitNext(term); });
}

void Controllers::CommitNext(uint64_t term) {
  if (term != term_ || proposed_.empty()) return;
  if (!MostLive()) return;  // until there are: it goes on then
  Proposal proposal = std::move(proposed_.front());
  proposed_.pop_front();
  Append(std::move(proposal.data), std::move(proposal.done));
}

void Controllers::Append(std::string data,
                         std::function<void(Result<MetadataOffset>)> done) {
  CHECK_LT(log_.size(), log_.capacity());
  const auto offset = static_cast<MetadataOffset>(log_.size()) + 1;
  metadata::v1::RecordBatch batch;
  CHECK(batch.ParseFromString(data));
  auto next = metadata::ApplyBatch(committed_, batch, offset, nullptr);
  CHECK(next) << ToString(next.error());
  committed_ = *next;
  log_.push_back({offset, term_, std::move(data)});
  if (on_commit) on_commit(committed_);
  for (int i = 0; i < kControllers; ++i) {
    const NodeId id = kFirstController + i;
    if (id != leader_) {
      Spread(id);
      continue;
    }
    Find(id).CatchUp(log_.size(), done ? [done, offset] { done(offset); }
                                       : std::function<void()>());
  }
}

void Controllers::Spread(NodeId id) {
  scheduler_.After(scheduler_.Between(std::chrono::microseconds(100),
                                      std::chrono::milliseconds(20)),
                   [this, id, end = log_.size()] {
                     if (life(id) != 0) Find(id).CatchUp(end, nullptr);
                   });
}

std::deque<Controllers::Proposal> Controllers::EndTerm() {
  leader_ = kNoNode;
  ++term_;
  // The others have some of what it proposed, in order.
  auto lost = std::exchange(proposed_, {});
  const auto kept = static_cast<size_t>(
      scheduler_.Below(static_cast<int64_t>(lost.size()) + 1));
  for (size_t i = 0; i < kept; ++i) Append(std::move(lost[i].data), nullptr);
  return lost;
}

void Controllers::Change(Duration gap, Duration paused) {
  if (leader_ == kNoNode || !MostLive()) return;
  const NodeId from = leader_;
  Node& old = Find(from);
  old.process.paused_until = scheduler_.Now() + paused;
  old.executor->Post([&old, lost = EndTerm()] {
    for (const Proposal& proposal : lost) {
      proposal.done(Fail(quorum::kOutcomeUnknown));
    }
    old.controller->Resign();
  });
  ElectSoon(from, gap);
}

void Controllers::ElectSoon(NodeId not_this, Duration gap) {
  scheduler_.After(gap, [this, not_this] {
    if (leader_ != kNoNode || !MostLive()) return;
    std::vector<NodeId> live;
    for (int i = 0; i < kControllers; ++i) {
      const NodeId id = kFirstController + i;
      if (id != not_this && life(id) != 0) live.push_back(id);
    }
    Elect(live[static_cast<size_t>(
        scheduler_.Below(static_cast<int64_t>(live.size())))]);
  });
}

void Controllers::Crash(NodeId id, Duration down, Duration gap) {
  if (life(id) == 0) return;
  auto& place = nodes_[static_cast<size_t>(id - kFirstController)];
  dead_.push_back(std::move(place));
  Node& node = *dead_.back();
  // Nobody is told what becomes of what it had proposed.
  if (id == leader_) {
    EndTerm();
    ElectSoon(id, gap);
  }
  scheduler_.Kill(&node.process);
  for (const auto& [who, died] : on_death) died(id);
  scheduler_.After(down, [this, id] { Start(id); });
  node.executor->Stop();
}

void Controllers::Start(NodeId id) {
  if (stopped_) return;
  nodes_[static_cast<size_t>(id - kFirstController)] =
      std::make_unique<Node>(*this, id, ++lives_);
  Find(id).Load();
  Spread(id);
  if (leader_ == kNoNode) {
    ElectSoon(kNoNode, std::chrono::milliseconds(scheduler_.Below(1000)));
  } else if (!proposed_.empty()) {
    for (size_t i = 0; i < proposed_.size(); ++i) {
      scheduler_.After(Duration::zero(),
                       [this, term = term_] { CommitNext(term); });
    }
  }
}

void Controllers::Elect(NodeId id) {
  leader_ = id;
  ++term_;
  Append("", nullptr);  // the no-op of the term
  Node& node = Find(id);
  node.CatchUp(log_.size(), [this, &node, term = term_] {
    if (term == term_) node.controller->BecomeActive(term);
  });
}

}  // namespace tidemark::sim
