#include "broker/coordinator/runtime/partition_runtime.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/coordinator/runtime/written_at.h"
#include "common/record/batch_builder.h"
#include "common/record/control_record.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Below the smallest max.message.bytes in use, with room for the framing.
constexpr size_t kBatchBytes = 512 << 10;
// Of a snapshot at a time: about a millisecond of encoding.
constexpr size_t kSnapshotBytes = 64 << 10;
constexpr size_t kMaxQueueBytes = 64 << 20;
constexpr size_t kRecordOverhead = 32;
constexpr Duration kAppendTimeout = seconds(60);
constexpr Duration kReload = milliseconds(100);

size_t SizeOf(const LogRecord& record) {
  return record.key.size() + (record.value ? record.value->size() : 0) +
         kRecordOverhead;
}

size_t SizeOf(const std::vector<LogRecord>& records) {
  size_t bytes = 0;
  for (const LogRecord& record : records) bytes += SizeOf(record);
  return bytes;
}

// The log does not take it from this producer; who asked for it has to know.
bool IsOfTheProducer(ErrorCode error) {
  switch (error) {
    case ErrorCode::kInvalidProducerEpoch:
    case ErrorCode::kTransactionCoordinatorFenced:
    case ErrorCode::kInvalidTxnState:
    case ErrorCode::kUnknownProducerId:
    case ErrorCode::kOutOfOrderSequenceNumber:
    case ErrorCode::kInvalidProducerIdMapping:
      return true;
    default:
      return false;
  }
}

// The log refused the batch: it is certainly not there.
bool NothingWasAppended(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidRecord:
    case ErrorCode::kCorruptMessage:
    case ErrorCode::kInvalidTimestamp:
      return true;
    default:
      return IsOfTheProducer(error);
  }
}

record::BatchOptions OptionsOf(const std::optional<Producer>& producer,
                               bool is_marker) {
  if (!producer) return {};
  return {.producer_id = producer->id,
          .producer_epoch = producer->epoch,
          .transactional = true,
          .control = is_marker};
}

RecordMeta MetaOf(const std::optional<Producer>& producer, Offset offset,
                  int64_t timestamp_ms) {
  RecordMeta meta{.offset = offset, .timestamp_ms = timestamp_ms};
  if (producer) {
    meta.producer_id = producer->id;
    meta.producer_epoch = producer->epoch;
    meta.transactional = true;
  }
  return meta;
}

}  // namespace

ErrorCode ClientErrorOf(ErrorCode append_error) {
  switch (append_error) {
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kFencedLeaderEpoch:
      return ErrorCode::kNotCoordinator;
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kUnknownTopicOrPartition:
      return ErrorCode::kCoordinatorNotAvailable;
    default:
      return IsOfTheProducer(append_error) ? append_error
                                           : ErrorCode::kUnknownServerError;
  }
}

PartitionRuntime::PartitionRuntime(TopicPartition partition,
                                   replication::ReplicaManager& log,
                                   const SnapshotOptions& snapshots,
                                   LogState& state)
    : partition_(std::move(partition)),
      log_(log),
      log_state_(state),
      executor_(log.ShardOf(partition_)),
      snapshots_(snapshots) {}

ErrorCode PartitionRuntime::Availability() const {
  if (state_ == State::kActive) return ErrorCode::kNone;
  return loader_ && !loader_->unreadable()
             ? ErrorCode::kCoordinatorLoadInProgress
             : ErrorCode::kNotCoordinator;
}

void PartitionRuntime::Lead(LeaderEpoch epoch) {
  if (epoch < epoch_ || (epoch == epoch_ && state_ != State::kInactive)) return;
  epoch_ = epoch;
  Deactivate(ErrorCode::kNotCoordinator, State::kLoading);
  Load(Duration::zero());
}

void PartitionRuntime::Resign(LeaderEpoch epoch) {
  if (epoch < epoch_) return;
  epoch_ = epoch;
  Deactivate(ErrorCode::kNotCoordinator, State::kInactive);
  log_state_.Clear();
}

void PartitionRuntime::Deactivate(ErrorCode why, State next) {
  const bool was_active = state_ == State::kActive;
  state_ = next;
  ++term_;
  loader_.reset();
  writes_.clear();
  queue_bytes_ = 0;
  in_flight_.reset();
  if (was_active) log_state_.OnInactive(why);
}

void PartitionRuntime::Load(Duration delay) {
  load_started_ = executor_.Now();
  loader_ = std::make_shared<LogLoader>(
      partition_, epoch_, log_, log_state_,
      [this](const LogLoader::Loaded& loaded) { OnLoaded(loaded); });
  if (delay == Duration::zero()) return loader_->Start();
  executor_.PostAfter(delay, [weak = std::weak_ptr(loader_)] {
    if (auto loader = weak.lock()) loader->Start();
  });
}

void PartitionRuntime::OnLoaded(const LogLoader::Loaded& loaded) {
  state_ = State::kActive;
  loader_.reset();  // alive while it calls
  next_offset_ = loaded.end_offset;
  snapshots_.Clear();
  snapshots_.Counted(loaded.bytes);
  LOG(INFO) << "coordinator active partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " end_offset=" << next_offset_
            << " records=" << loaded.records << " bytes=" << loaded.bytes
            << " ms="
            << std::chrono::duration_cast<milliseconds>(executor_.Now() -
                                                        load_started_)
                   .count();
  const uint64_t term = term_;
  log_state_.OnActive();
  if (IsCurrent(term)) AppendNext();
}

void PartitionRuntime::Write(std::vector<LogRecord> records,
                             std::optional<Producer> producer,
                             Settled settled) {
  Enqueue({.kind = {.producer = producer},
           .records = std::move(records),
           .settled = std::move(settled)});
}

void PartitionRuntime::WriteMarker(const TransactionEnd& end, Settled settled) {
  const auto type = end.committed ? record::ControlRecordType::kCommit
                                  : record::ControlRecordType::kAbort;
  Enqueue({.kind = {.producer = Producer{end.producer_id, end.producer_epoch},
                    .is_marker = true,
                    .transaction_version = end.transaction_version},
           .records = {{record::EncodeControlKey(type),
                        record::EncodeMarkerValue(end.coordinator_epoch)}},
           .settled = std::move(settled)});
}

void PartitionRuntime::Enqueue(PendingWrite write) {
  CHECK(state_ == State::kActive) << ToString(partition_);
  CHECK(!write.records.empty()) << ToString(partition_);
  if (queue_bytes_ > kMaxQueueBytes) {
    write.settled(Fail(
        ErrorCode::kCoordinatorNotAvailable,
        "too many writes wait for the replicas of " + ToString(partition_)));
    return;
  }
  write.bytes = SizeOf(write.records);
  queue_bytes_ += write.bytes;
  writes_.push_back(std::move(write));
  AppendNext();
}

bool PartitionRuntime::IsAmidAWrite() const {
  return !writes_.empty() && !writes_.front().metas.empty();
}

void PartitionRuntime::AppendNext() {
  if (in_flight_ || state_ != State::kActive) return;
  // A write that is in the log in part is no part of the state yet.
  if (!IsAmidAWrite()) {
    if (snapshots_.Due(log_state_.LiveBytes(), executor_.Now())) {
      StartSnapshot();
    }
    if (snapshots_.writing() && (snapshots_turn_ || writes_.empty())) {
      return AppendOfSnapshot();
    }
  }
  if (!writes_.empty()) AppendWrites();
}

void PartitionRuntime::AppendWrites() {
  snapshots_turn_ = true;
  const BatchKind& kind = writes_.front().kind;
  record::BatchBuilder batch(OptionsOf(kind.producer, kind.is_marker));
  InFlight flight{.timestamp_ms = executor_.WallMs(),
                  .transaction = {kind.producer ? kind.producer->verified : 0,
                                  kind.transaction_version}};
  size_t bytes = 0;
  for (const PendingWrite& write : writes_) {
    if (flight.records > 0 && (write.kind != kind || kind.is_marker ||
                               bytes + write.bytes > kBatchBytes)) {
      break;
    }
    for (size_t i = write.metas.size(); i < write.records.size(); ++i) {
      const LogRecord& record = write.records[i];
      if (flight.records > 0 && bytes + SizeOf(record) > kBatchBytes) {
        return Append(batch.Build(), flight);
      }
      bytes += SizeOf(record);
      ++flight.records;
      batch.Add(flight.timestamp_ms, record.key, record.value);
    }
  }
  Append(batch.Build(), flight);
}

void PartitionRuntime::StartSnapshot() {
  LOG(INFO) << "coordinator snapshot begins partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " offset=" << next_offset_
            << " log_bytes=" << snapshots_.log_bytes()
            << " live_bytes=" << log_state_.LiveBytes();
  snapshots_.Start(next_offset_, log_state_.OldestOpenOffset());
  log_state_.StartSnapshot();
}

void PartitionRuntime::AppendOfSnapshot() {
  snapshots_turn_ = false;
  std::vector<LogRecord> records;
  const auto more = log_state_.NextOfSnapshot(kSnapshotBytes, &records);
  if (!more) {
    LOG(ERROR) << "coordinator snapshot failed partition="
               << ToString(partition_) << " error=" << ToString(more.error());
    snapshots_.Abandon(executor_.Now());
    return AppendNext();
  }
  if (!*more) snapshots_.Written();
  if (records.empty()) {  // nothing is live, or nothing was left
    Trim();
    return AppendNext();
  }
  record::BatchBuilder batch;
  const InFlight flight{.records = records.size(),
                        .timestamp_ms = executor_.WallMs(),
                        .of_snapshot = true};
  for (const LogRecord& record : records) {
    const WrittenAtHeader written_at(record.written_at);
    batch.Add(flight.timestamp_ms, record.key, record.value,
              written_at.headers());
  }
  Append(batch.Build(), flight);
}

void PartitionRuntime::Append(std::string batch, InFlight flight) {
  flight.bytes = batch.size();
  in_flight_ = flight;
  log_.AppendCommitted(
      partition_, epoch_, SharedBytes(std::move(batch)), flight.transaction,
      kAppendTimeout, executor_,
      [weak = weak_from_this(), term = term_](const Result<Offset>& last) {
        auto self = weak.lock();
        if (self && self->IsCurrent(term)) self->OnAppended(last);
      });
}

void PartitionRuntime::OnAppended(const Result<Offset>& last) {
  const InFlight flight = *in_flight_;
  const uint64_t term = term_;
  if (last) {
    OnCommitted(flight, *last);
  } else {
    OnFailed(flight, last.error());
  }
  if (!IsCurrent(term)) return;
  in_flight_.reset();
  AppendNext();
}

void PartitionRuntime::OnCommitted(const InFlight& flight, Offset last) {
  const Offset first = last + 1 - static_cast<Offset>(flight.records);
  if (first != next_offset_ && snapshots_.trusted()) {
    LOG(WARNING) << "somebody else writes to partition=" << ToString(partition_)
                 << " at=" << next_offset_;
    snapshots_.Distrust();
  }
  next_offset_ = last + 1;
  snapshots_.Counted(flight.bytes);
  if (!flight.of_snapshot) return Settle(flight, first);
  if (!snapshots_.writing()) Trim();  // it was the last part
}

// Hands on to the callers what is committed; a callback may end the term.
void PartitionRuntime::Settle(const InFlight& flight, Offset first) {
  const uint64_t term = term_;
  for (size_t left = flight.records; left > 0 && IsCurrent(term);) {
    CHECK(!writes_.empty()) << ToString(partition_);
    PendingWrite& write = writes_.front();
    for (; left > 0 && write.metas.size() < write.records.size(); --left) {
      write.metas.push_back(
          MetaOf(write.kind.producer, first++, flight.timestamp_ms));
    }
    if (write.metas.size() < write.records.size()) return;
    PendingWrite done = TakeFirstWrite();
    done.settled(std::move(done.metas));
  }
}

PartitionRuntime::PendingWrite PartitionRuntime::TakeFirstWrite() {
  PendingWrite write = std::move(writes_.front());
  writes_.pop_front();
  queue_bytes_ -= write.bytes;
  return write;
}

void PartitionRuntime::OnFailed(const InFlight& flight, const Error& error) {
  LOG(WARNING) << "coordinator append failed partition=" << ToString(partition_)
               << " epoch=" << epoch_ << " error=" << ToString(error);
  if (!NothingWasAppended(error.code) || IsAmidAWrite()) {
    // What was written may yet be committed: only the log can tell.
    Deactivate(ClientErrorOf(error.code), State::kLoading);
    return Load(kReload);
  }
  if (flight.of_snapshot) return snapshots_.Abandon(executor_.Now());
  const uint64_t term = term_;
  for (size_t left = flight.records; left > 0 && IsCurrent(term);) {
    PendingWrite refused = TakeFirstWrite();
    left -= std::min(left, refused.records.size());
    refused.settled(Fail(ClientErrorOf(error.code), error.message));
  }
}

void PartitionRuntime::Trim() {
  if (!snapshots_.trusted()) return snapshots_.Abandon(executor_.Now());
  log_.TrimLog(partition_, epoch_, snapshots_.trim_to(), executor_,
               [weak = weak_from_this(), term = term_](const Status& trimmed) {
                 auto self = weak.lock();
                 if (self && self->IsCurrent(term)) self->OnTrimmed(trimmed);
               });
}

void PartitionRuntime::OnTrimmed(const Status& trimmed) {
  if (!trimmed) {
    LOG(WARNING) << "coordinator cannot trim partition=" << ToString(partition_)
                 << " epoch=" << epoch_
                 << " error=" << ToString(trimmed.error());
    return snapshots_.Abandon(executor_.Now());
  }
  snapshots_.Trimmed();
  LOG(INFO) << "coordinator snapshot done partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " start_offset=" << snapshots_.trim_to()
            << " log_bytes=" << snapshots_.log_bytes();
}

}  // namespace tidemark::coordinator
