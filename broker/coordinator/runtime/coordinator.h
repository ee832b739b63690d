#pragma once

#include <glog/logging.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "broker/coordinator/machine/machine.h"
#include "broker/coordinator/runtime/foreign_records.h"
#include "broker/coordinator/runtime/partition_runtime.h"

namespace tidemark::coordinator {

template <class T>
using Done = std::function<void(T)>;

struct CoordinatorOptions {
  // How long callers wait for their write; it goes on without them.
  Duration write_timeout = std::chrono::seconds(5);
  SnapshotOptions snapshots;
};

// What a machine wants beside its log; nothing for most.
template <class M>
struct EffectsOf {
  using Type = std::vector<std::monostate>;
};
template <class M>
requires requires(M m) { m.TakeEffects(); }
struct EffectsOf<M> {
  using Type = decltype(std::declval<M>().TakeEffects());
};

// One partition's coordinator as this broker serves it: a pure Machine M
// driven by the partition's log, its timers and waiting callers. Everything
// runs on the executor that owns the partition. Every `done` runs once; with
// kNotCoordinator or kCoordinatorLoadInProgress when the partition is not
// served here (any more). Hold it by shared_ptr.
template <Machine M>
class Coordinator final : public LogState,
                          public std::enable_shared_from_this<Coordinator<M>> {
 public:
  using Decision = typename M::Decision;
  using Effects = typename EffectsOf<M>::Type;
  // Sees to what the machine wants; on the executor, inside of a call.
  using OnEffects = std::function<void(Effects)>;

  // `log` outlives it.
  Coordinator(TopicPartition partition, replication::ReplicaManager& log,
              const CoordinatorOptions& options, M machine,
              OnEffects on_effects = nullptr)
      : options_(options),
        machine_(std::move(machine)),
        on_effects_(std::move(on_effects)),
        runtime_(std::make_shared<PartitionRuntime>(std::move(partition), log,
                                                    options.snapshots, *this)),
        executor_(runtime_->executor()) {}

  void Lead(LeaderEpoch epoch) { runtime_->Lead(epoch); }
  void Resign(LeaderEpoch epoch) {
    images_.clear();
    runtime_->Resign(epoch);
  }
  ErrorCode Availability() const { return runtime_->Availability(); }
  Executor& executor() const { return executor_; }

  // Decides; `done` runs when what was decided is committed, or later, as the
  // machine pleases.
  template <class Request>
  void Submit(const Request& request, Done<typename Request::Answer> done);
  // Answers from what is committed.
  template <class Query>
  typename Query::Answer Read(const Query& query) const;

  // Ends a producer's transaction in the log, behind what has been submitted;
  // `done` runs when the marker is committed and applied, or with the error
  // with which the log refused it.
  void EndTransaction(const TransactionEnd& end, Done<ErrorCode> done);

  // While the log loads: as soon as it has. Nothing when it is not led here.
  void OnImage(const ImageDelta& delta);

  // LogState, for the runtime.
  void Clear() override;
  Status Load(const RecordMeta& meta, std::string_view key,
              std::optional<std::string_view> value) override;
  void ApplyMarker(const Marker& marker) override;
  std::optional<Offset> OldestOpenOffset() const override;
  void OnActive() override;
  void OnInactive(ErrorCode why) override;
  size_t LiveBytes() const override {
    return machine_.live_bytes() + foreign_.bytes();
  }
  void StartSnapshot() override { snapshot_ = {}; }
  Result<bool> NextOfSnapshot(size_t bytes,
                              std::vector<LogRecord>* out) override;

 private:
  using Answers = decltype(Decision::answers);
  using Response = decltype(Answers::value_type::response);
  // Either a response, which an error replaces, or only an error.
  using Waiter = std::function<void(Response*, ErrorCode)>;
  // Answers that leave when their write is settled, or at the deadline.
  struct Write {
    uint64_t id = 0;
    Instant deadline;
    Answers answers;
  };
  struct Snapshot {
    std::optional<std::string> foreign;
    bool foreign_done = false;
    typename M::Cursor cursor{};
  };

  void Run(Decision decision);
  void RunAll(std::vector<Decision> decisions);
  void Await(uint64_t write_id, Answers answers);
  Answers TakeAnswers(uint64_t write_id);
  void OnSettled(uint64_t write_id, Decision decision,
                 const Result<std::vector<RecordMeta>>& outcome);
  void Deliver(Answers answers, ErrorCode error);
  void RunEffects();
  void ArmTimer();
  void OnTimer(Instant armed_for);
  Moment Now() const { return {executor_.Now(), executor_.WallMs()}; }

  const CoordinatorOptions options_;
  M machine_;
  const OnEffects on_effects_;
  ForeignRecords foreign_;
  Snapshot snapshot_;
  const std::shared_ptr<PartitionRuntime> runtime_;
  Executor& executor_;

  Ticket next_ticket_ = 0;
  std::unordered_map<Ticket, Waiter> waiters_;
  uint64_t next_write_ = 0;
  std::deque<Write> writes_;  // by id and by deadline
  std::optional<Instant> armed_for_;
  std::vector<ImageDelta> images_;  // that came while it loaded
};

template <Machine M>
template <class Request>
void Coordinator<M>::Submit(const Request& request,
                            Done<typename Request::Answer> done) {
  using Answer = typename Request::Answer;
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone) {
    Answer refused;
    refused.Fail(error);
    return done(std::move(refused));
  }
  const Ticket ticket = ++next_ticket_;
  waiters_[ticket] = [done = std::move(done)](Response* response,
                                              ErrorCode error) {
    Answer answer;
    if (response) answer = std::get<Answer>(std::move(*response));
    if (error != ErrorCode::kNone) answer.Fail(error);
    done(std::move(answer));
  };
  Run(machine_.Decide(request, Context{ticket, Now()}));
}

template <Machine M>
template <class Query>
typename Query::Answer Coordinator<M>::Read(const Query& query) const {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone) {
    typename Query::Answer refused;
    refused.Fail(error);
    return refused;
  }
  return machine_.Read(query);
}

template <Machine M>
void Coordinator<M>::EndTransaction(const TransactionEnd& end,
                                    Done<ErrorCode> done) {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone) {
    return done(error);
  }
  const Ticket ticket = ++next_ticket_;
  waiters_[ticket] = [done = std::move(done)](Response*, ErrorCode error) {
    done(error);
  };
  const uint64_t write_id = ++next_write_;
  Answers answers;
  answers.push_back({ticket, {}});
  Await(write_id, std::move(answers));
  ArmTimer();
  runtime_->WriteMarker(
      end, [this, write_id, committed = end.committed](
               const Result<std::vector<RecordMeta>>& outcome) {
        if (outcome) ApplyMarker({outcome->front(), committed});
        Deliver(TakeAnswers(write_id),
                outcome ? ErrorCode::kNone : outcome.error().code);
        ArmTimer();
      });
}

template <Machine M>
void Coordinator<M>::OnImage(const ImageDelta& delta) {
  const ErrorCode error = Availability();
  if (error == ErrorCode::kCoordinatorLoadInProgress) images_.push_back(delta);
  if (error == ErrorCode::kNone) RunAll(machine_.OnImage(delta));
}

template <Machine M>
void Coordinator<M>::RunAll(std::vector<Decision> decisions) {
  for (Decision& decision : decisions) Run(std::move(decision));
  ArmTimer();
}

template <Machine M>
void Coordinator<M>::Run(Decision decision) {
  if (decision.records.empty()) {
    ArmTimer();
    return Deliver(std::move(decision.answers), ErrorCode::kNone);
  }
  const uint64_t write_id = ++next_write_;
  std::vector<LogRecord> encoded;
  encoded.reserve(decision.records.size());
  for (const auto& record : decision.records) {
    auto bytes = M::Encode(record);
    if (!bytes) {
      Await(write_id, std::move(decision.answers));
      return OnSettled(write_id, std::move(decision), Fail(bytes.error()));
    }
    encoded.push_back(std::move(*bytes));
  }
  Await(write_id, std::exchange(decision.answers, {}));
  ArmTimer();
  // The runtime drops the callback when it stops being active, and is ours.
  const std::optional<Producer> producer = decision.producer;
  runtime_->Write(std::move(encoded), producer,
                  [this, write_id, decision = std::move(decision)](
                      const Result<std::vector<RecordMeta>>& outcome) mutable {
                    OnSettled(write_id, std::move(decision), outcome);
                  });
}

template <Machine M>
void Coordinator<M>::Await(uint64_t write_id, Answers answers) {
  if (answers.empty()) return;
  writes_.push_back(
      {write_id, executor_.Now() + options_.write_timeout, std::move(answers)});
}

template <Machine M>
typename Coordinator<M>::Answers Coordinator<M>::TakeAnswers(
    uint64_t write_id) {
  const auto it = std::ranges::lower_bound(writes_, write_id, {}, &Write::id);
  if (it == writes_.end() || it->id != write_id) return {};
  Answers answers = std::move(it->answers);
  writes_.erase(it);
  return answers;
}

template <Machine M>
void Coordinator<M>::OnSettled(uint64_t write_id, Decision decision,
                               const Result<std::vector<RecordMeta>>& outcome) {
  if (outcome) {
    for (size_t i = 0; i < decision.records.size(); ++i) {
      machine_.Apply(decision.records[i], (*outcome)[i]);
    }
  }
  Decision next = machine_.Settled(decision, outcome.has_value(), Now());
  Deliver(TakeAnswers(write_id),
          outcome ? ErrorCode::kNone : outcome.error().code);
  Run(std::move(next));
}

template <Machine M>
void Coordinator<M>::Deliver(Answers answers, ErrorCode error) {
  for (auto& answer : answers) {
    auto node = waiters_.extract(answer.ticket);
    CHECK(node) << "ticket=" << answer.ticket;
    node.mapped()(&answer.response, error);
  }
}

template <Machine M>
void Coordinator<M>::RunEffects() {
  if constexpr (requires { machine_.TakeEffects(); }) {
    if (Effects effects = machine_.TakeEffects(); !effects.empty()) {
      on_effects_(std::move(effects));
    }
  }
}

// After whatever the machine was asked.
template <Machine M>
void Coordinator<M>::ArmTimer() {
  RunEffects();
  std::optional<Instant> next = machine_.NextDeadline();
  if (!writes_.empty() && (!next || writes_.front().deadline < *next)) {
    next = writes_.front().deadline;
  }
  if (!next || (armed_for_ && *armed_for_ <= *next)) return;
  armed_for_ = next;
  const Duration delay = std::max(*next - executor_.Now(), Duration::zero());
  executor_.PostAfter(delay, [weak = this->weak_from_this(), armed = *next] {
    if (auto self = weak.lock()) self->OnTimer(armed);
  });
}

template <Machine M>
void Coordinator<M>::OnTimer(Instant armed_for) {
  if (armed_for_ != armed_for) return;  // an earlier one replaced it
  armed_for_.reset();
  if (Availability() != ErrorCode::kNone) return;
  // The writes go on, but their callers have waited long enough.
  while (!writes_.empty() && writes_.front().deadline <= executor_.Now()) {
    Answers late = std::move(writes_.front().answers);
    writes_.pop_front();
    Deliver(std::move(late), ErrorCode::kCoordinatorNotAvailable);
  }
  RunAll(machine_.OnTimer(Now()));
}

template <Machine M>
void Coordinator<M>::Clear() {
  machine_.Clear();
  foreign_.Clear();
}

template <Machine M>
Status Coordinator<M>::Load(const RecordMeta& meta, std::string_view key,
                            std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(auto record, M::Decode(key, value));
  if (record) {
    machine_.Apply(*record, meta);
  } else {
    foreign_.Keep(key, value);
  }
  return {};
}

template <Machine M>
void Coordinator<M>::ApplyMarker(const Marker& marker) {
  if constexpr (requires { machine_.ApplyMarker(marker); }) {
    machine_.ApplyMarker(marker);
  }
}

template <Machine M>
std::optional<Offset> Coordinator<M>::OldestOpenOffset() const {
  if constexpr (requires { machine_.OldestOpenOffset(); }) {
    return machine_.OldestOpenOffset();
  }
  return std::nullopt;
}

template <Machine M>
void Coordinator<M>::OnActive() {
  machine_.Activate(Now());
  for (const ImageDelta& delta : std::exchange(images_, {})) {
    RunAll(machine_.OnImage(delta));
  }
  ArmTimer();
}

template <Machine M>
void Coordinator<M>::OnInactive(ErrorCode why) {
  writes_.clear();
  armed_for_.reset();
  for (auto& [ticket, waiter] : std::exchange(waiters_, {})) {
    waiter(nullptr, why);
  }
}

template <Machine M>
Result<bool> Coordinator<M>::NextOfSnapshot(size_t bytes,
                                            std::vector<LogRecord>* out) {
  if (!snapshot_.foreign_done) {
    snapshot_.foreign_done = !foreign_.Next(snapshot_.foreign, bytes, out);
    if (!out->empty()) return true;
  }
  std::vector<typename M::Record> records;
  const bool more = machine_.Snapshot(snapshot_.cursor, bytes, &records);
  for (const auto& record : records) {
    TM_ASSIGN_OR_RETURN(LogRecord encoded, M::Encode(record));
    out->push_back(std::move(encoded));
  }
  return more;
}

}  // namespace tidemark::coordinator
