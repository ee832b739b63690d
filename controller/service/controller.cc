#include "controller/service/controller.h"

#include <glog/logging.h>

#include <utility>

#include "common/metadata/snapshot.h"
#include "common/rpc/status_map.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/reassignment_decisions.h"
#include "controller/metadata/unclean.h"

namespace tidemark::controller {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr size_t kElectionsPerRound = 1000;
constexpr size_t kFencedPerTurn = 500;  // partitions: some 5 ms

void Log(const Note& note) {
  switch (note.severity) {
    case Note::Severity::kInfo:
      LOG(INFO) << "controller: " << note.text;
      return;
    case Note::Severity::kWarning:
      LOG(WARNING) << "controller: " << note.text;
      return;
    case Note::Severity::kError:
      LOG(ERROR) << "controller: " << note.text;
      return;
  }
}

MetadataFeed::Background Behind(Executor* executor, Executor* background) {
  if (background == nullptr) return nullptr;
  return [executor, background](std::function<void()> make,
                                std::function<void()> done) {
    background->Post(
        [executor, make = std::move(make), done = std::move(done)] {
          make();
          executor->Post(done);
        });
  };
}

}  // namespace

Controller::Controller(ControllerOptions options, Executor* executor,
                       Randomness random, Executor* background)
    : options_(std::move(options)),
      executor_(executor),
      random_(std::move(random)),
      watch_(options_.liveness),
      feed_(Behind(executor, background)) {}

void Controller::Attach(quorum::Quorum* quorum) {
  quorum_ = quorum;
  ledger_.Attach(quorum);
}

Error Controller::NotActive() const {
  std::string message = "this is not the active controller";
  NodeId leader = quorum_->leader();
  if (leader != kNoNode && leader != options_.self) {
    if (auto voter = quorum_->FindVoter(leader)) {
      message +=
          "; " + rpc::FormatActiveHint({voter->id, voter->host, voter->port});
    }
  }
  return {ErrorCode::kNotController, std::move(message)};
}

Error Controller::OutcomeUnknown() const {
  Error error = NotActive();
  error.code = quorum::kOutcomeUnknown;
  error.message += "; whether the change was made is unknown";
  return error;
}

// Too large, for instance, is neither: trying again would not help.
Error Controller::Explain(const Error& error) const {
  if (error.code == ErrorCode::kNotController) return NotActive();
  if (error.code == quorum::kOutcomeUnknown) return OutcomeUnknown();
  return error;
}

// ---- The log.

void Controller::Apply(std::span<const quorum::Committed> entries) {
  for (const quorum::Committed& entry : entries) {
    feed_.Append(entry.offset, entry.data);
  }
  auto answers = ledger_.Apply(entries);
  // Brokers first: they wait for new leaders.
  feed_.Flush();
  for (auto& answer : answers) answer();
}

Status Controller::CheckEntry(std::string_view data) const {
  const auto records = ParseEntry(data);
  return records ? Status() : Fail(records.error());
}

Result<Controller::Install> Controller::ReadSnapshot(SharedBytes data,
                                                     MetadataOffset offset) {
  TM_ASSIGN_OR_RETURN(const auto records, ParseEntry(data.view()));
  auto image = metadata::FromRecords(records, offset);
  if (!image) {
    if (image.error().code == ErrorCode::kUnsupportedVersion)
      StopIfUnreadable(image.error());
    return Fail(image.error());
  }
  // Keeps what it replaces: to drop it takes long.
  return [this, offset, other = *image,
          replaced = metadata::ImagePtr()]() mutable {
    replaced = ledger_.Load(other);
    feed_.Reset(offset);
  };
}

std::shared_ptr<const quorum::FrozenState> Controller::TakeSnapshot() {
  struct Frozen final : quorum::FrozenState {
    explicit Frozen(metadata::ImagePtr image) : image(std::move(image)) {}
    void Write(const Part& part) const override {
      metadata::WriteSnapshot(*image, part);
    }
    const metadata::ImagePtr image;
  };
  return std::make_shared<Frozen>(ledger_.Freeze());
}

void Controller::BecomeActive(uint64_t term) {
  if (stopping_) return;
  active_ = true;
  term_ = term;
  ++generation_;
  ++counters_.became_active;
  const Instant now = executor_->Now();
  watch_.Start(*committed(), now);
  feed_.Open(static_cast<int64_t>(term));
  last_commit_ = now;
  next_keep_alive_ = now + options_.keep_alive;
  next_balance_ = now + options_.balance_interval;
  next_unclean_ = now + options_.unclean_interval;
  LOG(INFO) << "controller: active epoch=" << term
            << " committed=" << committed()->offset();
  Tick(generation_);
}

void Controller::Resign() {
  if (!active_) return;
  active_ = false;
  ++generation_;
  fencing_.reset();
  LOG(INFO) << "controller: no longer active epoch=" << term_;
  ledger_.Resign();
  feed_.Close(NotActive());
}

void Controller::Stop() {
  stopping_ = true;
  Resign();
}

void Controller::Commit(Records records, Effects effects, Ledger::Done done) {
  if (!active_) return done(Fail(NotActive()));
  // Whoever decided it (F26).
  const size_t unclean =
      NoteUncleanElections(*ledger_.pending(), records, &effects);
  NoteMoves(*ledger_.pending(), records, &effects);
  if (!records.empty()) last_commit_ = executor_->Now();
  ledger_.Commit(std::move(records),
                 [this, effects = std::move(effects), unclean,
                  done = std::move(done)](Result<MetadataOffset> offset) {
                   if (!offset) return done(Fail(Explain(offset.error())));
                   counters_.unclean_elections += unclean;
                   CarryOut(effects, *offset);
                   done(offset);
                 });
}

void Controller::CarryOut(const Effects& effects, MetadataOffset offset) {
  for (const Note& note : effects.notes) Log(note);
  if (effects.shutdown_begun) {
    watch_.ShutdownBegan(*effects.shutdown_begun, offset);
  }
  if (effects.look_for_leaders) next_unclean_ = executor_->Now();
}

// ---- Feeds.

Status Controller::Subscribe(const rpc_v1::SubscribeRequest& request,
                             std::shared_ptr<FeedSink> sink) {
  if (!active_) return Fail(NotActive());
  if (request.cluster_id() != options_.settings.cluster_id) {
    return Fail(ErrorCode::kInconsistentClusterId,
                "broker is of cluster " + request.cluster_id() +
                    ", controllers are of " + options_.settings.cluster_id);
  }
  feed_.Subscribe(std::move(sink), request.next_offset(), committed());
  watch_.FeedOpened(request, executor_->Now());
  return {};
}

void Controller::FeedEnded(const rpc_v1::SubscribeRequest& request,
                           const FeedSink* sink) {
  feed_.Unsubscribe(sink);
  watch_.FeedEnded(request, executor_->Now());
  if (!active_) return;
  FenceLost();  // another one may have seen it before
  executor_->PostAfter(options_.liveness.reconnect_grace,
                       [this, generation = generation_] {
                         if (generation == generation_) FenceLost();
                       });
}

// ---- Time.

void Controller::Tick(uint64_t generation) {
  if (generation != generation_) return;
  FenceLost();
  BringFeatures();
  RunPeriodic(executor_->Now());
  executor_->PostAfter(kTick, [this, generation] { Tick(generation); });
}

// All of them at once, so that nothing moves to one that is gone too; but no
// more in one turn than others can wait for. What others decide between two
// turns does not go to them either (View::leaving).
void Controller::FenceLost() {
  const auto lost =
      watch_.Lost(*committed(), *ledger_.pending(), executor_->Now());
  if (lost.empty()) return fencing_.reset();
  if (ledger_.draining()) return;
  std::vector<NodeId> ids;
  for (const BrokerWatch::Loss& loss : lost) ids.push_back(loss.broker);
  Effects effects;
  if (!fencing_ || fencing_->brokers != ids) {
    fencing_.emplace(Fencing{.brokers = ids});
    for (const BrokerWatch::Loss& loss : lost) {
      effects.notes.push_back({.text = "broker=" + std::to_string(loss.broker) +
                                       " lost (" + loss.why + ")"});
    }
  }
  Records records = FenceSome(ViewFor(), kFencedPerTurn, &*fencing_);
  const size_t fenced = fencing_->complete ? ids.size() : 0;
  // The other turns have only looked.
  if (!records.empty())
    effects.notes.push_back(
        {.text = "partitions moved=" + std::to_string(records.size() - fenced) +
                 ", brokers fenced=" + std::to_string(fenced) + " of " +
                 std::to_string(ids.size()) + " lost"});
  Commit(std::move(records), std::move(effects),
         [this, fenced](Result<MetadataOffset> offset) {
           // From the start: a part of it is missing.
           if (!offset) return fencing_.reset();
           counters_.fenced_lost += fenced;
         });
  if (fenced > 0) fencing_.reset();
  // Where it was refused the next tick tries again.
  if (fencing_) FenceMoreSoon();
}

void Controller::FenceMoreSoon() {
  if (std::exchange(fence_posted_, true)) return;
  executor_->Post([this, generation = generation_] {
    fence_posted_ = false;
    if (generation == generation_) FenceLost();
  });
}

void Controller::RunPeriodic(Instant now) {
  if (now >= next_keep_alive_) {
    next_keep_alive_ = now + options_.keep_alive;
    feed_.KeepAlive();
  }
  Records records = DecidePeriodic(now);
  if (records.empty()) return;
  Commit(std::move(records), {}, [](Result<MetadataOffset>) {});
}

Records Controller::DecidePeriodic(Instant now) {
  const View view = ViewFor();
  Records records;
  if (now >= next_unclean_) {
    next_unclean_ = now + options_.unclean_interval;
    records = DecideUncleanLeaders(view, kElectionsPerRound);
    if (records.empty()) {
      records = DecideEligibleLeaders(view, kElectionsPerRound);
    }
  } else if (options_.balance_leaders && now >= next_balance_) {
    records = DecidePreferredLeaders(view, kElectionsPerRound);
    // A full round: there is more to move.
    const bool more = records.size() == kElectionsPerRound;
    next_balance_ = more ? now : now + options_.balance_interval;
  } else if (now - last_commit_ >= options_.max_idle) {
    records.emplace_back().mutable_no_op();
  }
  return records;
}

}  // namespace tidemark::controller
