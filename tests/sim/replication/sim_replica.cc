#include "tests/sim/replication/sim_replica.h"

#include <glog/logging.h>

#include <utility>

#include "broker/log/log_syncer.h"

namespace tidemark::replication {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kFetchTimeout = milliseconds(300);
constexpr int32_t kMinIsr = 2;

}  // namespace

SimReplica::SimReplica(SimWorld& world, SimController& controller, NodeId id,
                       uint64_t disk_seed, Hooks hooks)
    : world_(world),
      controller_(controller),
      id_(id),
      hooks_(std::move(hooks)),
      disk_(disk_seed) {
  env_.self = id;
  env_.lag_max = seconds(3);
  env_.stats = &stats_;
  // The log directory is the operator's, and has long been there.
  CHECK(disk_.CreateDirectories("/data"));
  CHECK(disk_.SyncDirectory("/"));
}

void SimReplica::After(Duration delay, std::function<void()> event) {
  world_.After(delay, [this, life = life_, event = std::move(event)] {
    Arrive(life, event);
  });
}

void SimReplica::Arrive(uint64_t life, std::function<void()> event) {
  if (!alive_ || life != life_) return;
  if (paused()) {
    world_.After(
        paused_until_ - world_.now(),
        [this, life, event = std::move(event)] { Arrive(life, event); });
    return;
  }
  event();
  if (alive_) hooks_.changed(*this);
}

void SimReplica::SendTo(SimReplica& to, std::function<void()> event) {
  world_.Message(id_, to.id_, [&to, event = std::move(event)] {
    to.Arrive(to.life_, event);
  });
}

void SimReplica::Start() {
  ++life_;
  log::OpenOptions options;
  options.dir = "/data/" + ToString(kSimPartition);
  options.partition = kSimPartition;
  options.topic_id = controller_.topic_id();
  options.config.segment_bytes = 4096;
  auto log = log::OpenLog(disk_, options, world_.WallMs());
  if (!log) {
    open_error_ = ToString(log.error());
    return;
  }
  alive_ = true;
  env_.image = std::make_shared<const metadata::Image>();
  partition_ = std::make_unique<Partition>(
      kSimPartition, controller_.topic_id(), std::move(*log), &env_,
      high_watermark_checkpoint_, kMinIsr);
  produces_ = ProduceQueue();
  syncing_ = false;
  known_epoch_ = -1;
  report_out_ = report_wanted_ = false;
  proposal_.reset();
  proposal_out_ = false;
  ++fetch_round_;
  broker_epoch_ =
      controller_.Register(id_, static_cast<uint64_t>(id_) * 1'000'000 + life_);
  HeartbeatLoop();
  TickLoop();
  hooks_.changed(*this);
}

void SimReplica::Kill(bool power) {
  alive_ = false;
  paused_until_ = Instant();
  if (power) {
    disk_.Crash();
  } else {
    disk_.KillProcess();
  }
  partition_.reset();
}

void SimReplica::Receive(const metadata::ImagePtr& image) {
  world_.Message(0, id_, [this, image, life = life_] {
    Arrive(life, [this, image] {
      // A process acts on images that know its registration only.
      const auto* self = image->FindBroker(id_);
      if (image->offset() <= env_.image->offset() || self == nullptr ||
          self->epoch < broker_epoch_) {
        return;
      }
      env_.image = image;
      const auto* row = image->FindPartition(kSimPartition.topic, 0);
      if (row == nullptr) return;
      partition_->ApplyRow(*row, world_.now());
      partition_->BrokersChanged(world_.now());
      const bool new_epoch = partition_->leader_epoch() != known_epoch_;
      known_epoch_ = partition_->leader_epoch();
      if (new_epoch && partition_->IsLeader()) hooks_.led(*this);
      Settle();
      if (new_epoch) Fetch(false);
    });
  });
}

void SimReplica::Produce(const std::string& batch, Reply reply) {
  Arrive(life_, [this, batch, reply = std::move(reply)] {
    const auto info = partition_->AppendAsLeader(
        batch, -1, AppendOrigin::kClient, world_.now(), world_.WallMs());
    if (!info) {
      Settle();
      reply(info.error().code, -1);
      return;
    }
    const Offset base = info->first_offset;
    produces_.Add(info->last_offset + 1, true,
                  [reply, base](ErrorCode error) { reply(error, base); });
    for (auto& done : produces_.TakeReached(partition_->log().flushed_offset(),
                                            partition_->high_watermark(),
                                            partition_->CheckAfterCommit())) {
      done.done(done.error);
    }
    Settle();
  });
}

void SimReplica::Settle() {
  Effects effects = partition_->TakeEffects();
  if (effects.proposal) {
    proposal_ = std::move(effects.proposal);
    SendProposal();
  }
  std::vector<ProduceQueue::Completed> completed;
  if (effects.Has(Effect::kAbandon)) {
    completed = produces_.TakeAll(ErrorCode::kNotLeaderOrFollower);
  } else if (effects.Has(Effect::kComplete)) {
    completed = produces_.TakeReached(partition_->log().flushed_offset(),
                                      partition_->high_watermark(),
                                      partition_->CheckAfterCommit());
  }
  if (effects.Has(Effect::kReport)) {
    report_wanted_ = true;
    Fetch(true);
  }
  if (effects.Has(Effect::kCut)) Cut();
  StartSync();
  for (auto& one : completed) one.done(one.error);
}

// Takes as long as a disk does, or much longer.
void SimReplica::Cut() {
  auto lent = std::make_shared<LentLog>(partition_->TakeCut());
  const Duration time =
      world_.Chance(100) ? world_.Between(milliseconds(5), milliseconds(500))
                         : world_.Between(microseconds(100), milliseconds(5));
  After(time, [this, lent] {
    const Status cut = CarryOut(lent->cut, *lent->log);
    partition_->CutDone(std::move(lent->log), cut, world_.now());
    const bool new_epoch = partition_->leader_epoch() != known_epoch_;
    known_epoch_ = partition_->leader_epoch();
    if (new_epoch && partition_->IsLeader()) hooks_.led(*this);
    Settle();
    Fetch(false);
  });
}

void SimReplica::StartSync() {
  if (syncing_) return;
  auto work = partition_->TakeSync();
  if (!work) return;
  syncing_ = true;
  const Duration time =
      world_.Chance(50) ? world_.Between(milliseconds(5), milliseconds(200))
                        : world_.Between(microseconds(100), milliseconds(5));
  After(time, [this, work = *work] {
    syncing_ = false;
    if (auto synced = log::PerformSync(disk_, work); !synced) {
      partition_->SyncFailed(work);
    } else {
      partition_->Flushed(work, world_.now());
    }
    Settle();
  });
}

void SimReplica::Fetch(bool report) {
  if (report && (report_out_ || !report_wanted_)) return;
  const auto at = partition_->FollowerPosition();
  const uint64_t round = report ? ++report_round_ : ++fetch_round_;
  if (!at) return;  // the next image starts it again
  if (report) {
    report_out_ = true;
    report_wanted_ = false;
  }
  FollowerFetch fetch;
  fetch.replica = id_;
  fetch.broker_epoch = broker_epoch_;
  fetch.current_leader_epoch = at->leader_epoch;
  fetch.fetch_offset = at->fetch_offset;
  fetch.last_fetched_epoch = at->last_fetched_epoch;
  fetch.flushed_offset = at->flushed_offset;
  SimReplica* leader = hooks_.peer(at->leader);
  SendTo(*leader, [this, leader, fetch, report, round, at = *at, life = life_] {
    const size_t bytes =
        report ? 0
               : static_cast<size_t>(
                     world_.Between(Duration(100), Duration(2000)).count());
    FetchAnswer answer =
        leader->partition_->FetchAsFollower(fetch, bytes, true, world_.now());
    leader->Settle();
    world_.Message(leader->id_, id_, [this, life, report, round, at, answer] {
      Arrive(life, [this, report, round, at, answer] {
        Fetched(report, round, at, answer);
      });
    });
  });
  // Lost or late: another one goes out; the old answer may still come.
  After(kFetchTimeout, [this, report, round] {
    if (round != (report ? report_round_ : fetch_round_)) return;
    if (report) {
      report_out_ = false;
      report_wanted_ = true;
    }
    Fetch(report);
  });
}

void SimReplica::Fetched(bool report, uint64_t round,
                         const FetchPositionOfFollower& asked,
                         const FetchAnswer& answer) {
  // Late answers are not filtered here: the partition has to.
  if (answer.error == ErrorCode::kOffsetOutOfRange) {
    (void)partition_->OutOfRange(asked.asked(), answer.log_start_offset);
  } else if (answer.diverging) {
    (void)partition_->Diverged(asked.asked(), *answer.diverging);
  } else if (answer.error == ErrorCode::kNone) {
    (void)partition_->AppendFetched(asked.asked(), answer.records.bytes(),
                                    answer.high_watermark,
                                    answer.log_start_offset);
  }
  const bool current = round == (report ? report_round_ : fetch_round_);
  if (report && current) report_out_ = false;
  Settle();
  if (!current) return;
  if (report) {
    Fetch(true);
  } else if (!answer.records.empty() || answer.diverging) {
    Fetch(false);
  } else {
    After(world_.Between(milliseconds(1), milliseconds(8)), [this, round] {
      if (round == fetch_round_) Fetch(false);
    });
  }
}

void SimReplica::SendProposal() {
  if (proposal_out_ || !proposal_) return;
  proposal_out_ = true;
  const IsrProposal proposal = *std::exchange(proposal_, std::nullopt);
  controller::v1::AlterPartitionRequest request;
  request.set_broker_id(id_);
  request.set_broker_epoch(broker_epoch_);
  auto* asked = request.add_partitions();
  asked->set_topic_id(proposal.topic_id.ToBytes());
  asked->set_partition(proposal.partition);
  asked->set_leader_epoch(proposal.leader_epoch);
  asked->set_partition_epoch(proposal.partition_epoch);
  for (const auto& member : proposal.isr) {
    auto* isr = asked->add_isr();
    isr->set_broker_id(member.id);
    isr->set_broker_epoch(member.epoch);
  }
  const uint64_t round = ++proposal_round_;
  world_.Message(id_, 0, [this, request, proposal, round, life = life_] {
    const auto response = controller_.AlterPartition(request);
    world_.Message(0, id_, [this, response, proposal, round, life] {
      Arrive(life, [this, response, proposal, round] {
        if (round != proposal_round_) return;
        proposal_out_ = false;
        AlterPartitionResult result;
        if (response.error().code() != 0) {
          result.error = ErrorCode::kNotController;
        } else {
          const auto& partition = response.partitions(0);
          result.error = static_cast<ErrorCode>(partition.code());
          result.leader = partition.leader();
          result.leader_epoch = partition.leader_epoch();
          result.isr.assign(partition.isr().begin(), partition.isr().end());
          result.partition_epoch = partition.partition_epoch();
        }
        partition_->AlterPartitionAnswered(result, proposal.partition_epoch,
                                           world_.now());
        Settle();
        SendProposal();
      });
    });
  });
  // No answer: outcome unknown, so the same again.
  After(milliseconds(500), [this, round, proposal] {
    if (round != proposal_round_ || !proposal_out_) return;
    proposal_out_ = false;
    if (!proposal_) proposal_ = proposal;
    SendProposal();
  });
}

void SimReplica::HeartbeatLoop() {
  world_.Message(id_, 0,
                 [this, epoch = broker_epoch_, at = env_.image->offset()] {
                   controller_.Heartbeat(id_, epoch, at);
                 });
  // The feed: whatever was lost comes again.
  Receive(controller_.image());
  After(milliseconds(300), [this] { HeartbeatLoop(); });
}

void SimReplica::TickLoop() {
  partition_->Tick(world_.now());
  if (world_.Chance(200)) {
    high_watermark_checkpoint_ = partition_->high_watermark();
  }
  Settle();
  After(milliseconds(200), [this] { TickLoop(); });
}

}  // namespace tidemark::replication
