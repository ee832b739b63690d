#include "broker/coordinator/runtime/partition_runtime.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kReadBytes = 1 << 20;
// Below the smallest max.message.bytes in use, with room for the framing.
constexpr size_t kBatchBytes = 512 << 10;
constexpr size_t kMaxQueueBytes = 64 << 20;
constexpr size_t kRecordOverhead = 32;
constexpr Duration kAppendTimeout = seconds(60);
constexpr Duration kFirstCommitPoll = milliseconds(2);
constexpr Duration kMaxCommitPoll = milliseconds(100);
constexpr Duration kRetry = milliseconds(100);
constexpr Duration kUnreadableRetry = seconds(5);

size_t SizeOf(const LogRecord& record) {
  return record.key.size() + (record.value ? record.value->size() : 0) +
         kRecordOverhead;
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
      return false;
  }
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
      return ErrorCode::kUnknownServerError;
  }
}

PartitionRuntime::PartitionRuntime(TopicPartition partition,
                                   replication::ReplicaManager& log,
                                   StateMachine& machine)
    : partition_(std::move(partition)),
      log_(log),
      machine_(machine),
      executor_(log.ShardOf(partition_)) {}

ErrorCode PartitionRuntime::Availability() const {
  switch (state_) {
    case State::kActive:
      return ErrorCode::kNone;
    case State::kLoading:
      return ErrorCode::kCoordinatorLoadInProgress;
    case State::kInactive:
    case State::kFailed:
      return ErrorCode::kNotCoordinator;
  }
  return ErrorCode::kNotCoordinator;
}

void PartitionRuntime::Lead(LeaderEpoch epoch) {
  if (epoch < epoch_ || (epoch == epoch_ && state_ != State::kInactive)) return;
  epoch_ = epoch;
  Deactivate(ErrorCode::kNotCoordinator, State::kLoading);
  StartLoad();
}

void PartitionRuntime::Resign(LeaderEpoch epoch) {
  if (epoch < epoch_) return;
  epoch_ = epoch;
  Deactivate(ErrorCode::kNotCoordinator, State::kInactive);
  machine_.Clear();
}

void PartitionRuntime::Deactivate(ErrorCode why, State next) {
  const bool was_active = state_ == State::kActive;
  state_ = next;
  ++term_;
  queue_.clear();
  queue_bytes_ = 0;
  writes_.clear();
  appending_ = false;
  if (was_active) machine_.OnInactive(why);
}

void PartitionRuntime::StartLoad() {
  state_ = State::kLoading;
  machine_.Clear();
  next_offset_ = 0;
  records_loaded_ = 0;
  commit_poll_ = kFirstCommitPoll;
  load_started_ = executor_.Now();
  ReadMore();
}

void PartitionRuntime::ReadMore() {
  log_.ReadLog(partition_, epoch_, next_offset_, kReadBytes, executor_,
               [weak = weak_from_this(),
                term = term_](Result<replication::LogChunk> chunk) {
                 auto self = weak.lock();
                 if (self && self->IsCurrent(term))
                   self->OnChunk(std::move(chunk));
               });
}

void PartitionRuntime::OnChunk(Result<replication::LogChunk> chunk) {
  if (!chunk) {
    // Usually leadership that has moved on and that we hear of next.
    VLOG(1) << "coordinator load read failed partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " error=" << ToString(chunk.error());
    return RetryLoad(kRetry);
  }
  if (Status loaded = LoadChunk(chunk->batches.view()); !loaded) {
    LOG(ERROR) << "coordinator cannot load partition=" << ToString(partition_)
               << " epoch=" << epoch_ << " next_offset=" << next_offset_
               << " error=" << ToString(loaded.error());
    state_ = State::kFailed;
    return RetryLoad(kUnreadableRetry);
  }
  // Nothing was returned: the rest holds no record (compaction leaves gaps).
  if (chunk->batches.empty() && next_offset_ < chunk->end_offset)
    next_offset_ = chunk->end_offset;
  if (next_offset_ < chunk->end_offset) return ReadMore();
  if (chunk->high_watermark < chunk->end_offset) {
    commit_poll_ = std::min(commit_poll_ * 2, kMaxCommitPoll);
    executor_.PostAfter(commit_poll_, [weak = weak_from_this(), term = term_] {
      auto self = weak.lock();
      if (self && self->IsCurrent(term)) self->ReadMore();
    });
    return;
  }
  state_ = State::kActive;
  LOG(INFO) << "coordinator active partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " end_offset=" << next_offset_
            << " records=" << records_loaded_ << " ms="
            << std::chrono::duration_cast<milliseconds>(executor_.Now() -
                                                        load_started_)
                   .count();
  machine_.OnActive();
}

Status PartitionRuntime::LoadChunk(std::string_view batches) {
  record::BatchIterator iterator(batches);
  while (true) {
    TM_ASSIGN_OR_RETURN(std::optional<record::BatchView> batch,
                        iterator.Next());
    if (!batch) break;
    TM_RETURN_IF_ERROR(record::ParseAndVerifyBatch(batch->bytes));
    if (batch->header.NextOffset() <= next_offset_) continue;
    if (!batch->header.IsControl()) {
      TM_RETURN_IF_ERROR(record::ForEachRecord(
          batch->bytes, [&](const record::Record& r) -> Status {
            ++records_loaded_;
            if (!r.key) return {};
            return machine_.Load(*r.key, r.value);
          }));
    }
    next_offset_ = batch->header.NextOffset();
  }
  return {};
}

void PartitionRuntime::RetryLoad(Duration delay) {
  executor_.PostAfter(delay, [weak = weak_from_this(), term = term_] {
    auto self = weak.lock();
    if (self && self->IsCurrent(term)) self->StartLoad();
  });
}

void PartitionRuntime::Write(std::vector<LogRecord> records,
                             std::function<void(Status)> settled) {
  CHECK(state_ == State::kActive) << ToString(partition_);
  CHECK(!records.empty()) << ToString(partition_);
  if (queue_bytes_ > kMaxQueueBytes) {
    settled(Fail(
        ErrorCode::kCoordinatorNotAvailable,
        "too many writes wait for the replicas of " + ToString(partition_)));
    return;
  }
  writes_.push_back({records.size(), records.size(), std::move(settled)});
  for (LogRecord& record : records) {
    queue_bytes_ += SizeOf(record);
    queue_.push_back(std::move(record));
  }
  AppendNext();
}

void PartitionRuntime::AppendNext() {
  if (appending_ || queue_.empty()) return;
  record::BatchBuilder batch;
  const int64_t timestamp_ms = executor_.WallMs();
  size_t bytes = 0;
  size_t records = 0;
  while (!queue_.empty() &&
         (records == 0 || bytes + SizeOf(queue_.front()) <= kBatchBytes)) {
    const LogRecord& record = queue_.front();
    bytes += SizeOf(record);
    ++records;
    batch.Add(timestamp_ms, record.key, record.value);
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
  appending_ = true;
  log_.AppendCommitted(
      partition_, epoch_, SharedBytes(batch.Build()), kAppendTimeout, executor_,
      [weak = weak_from_this(), term = term_, records](Result<Offset> r) {
        auto self = weak.lock();
        if (self && self->IsCurrent(term))
          self->OnAppended(records, std::move(r));
      });
}

bool PartitionRuntime::SplitsAWrite(size_t records) const {
  for (const PendingWrite& write : writes_) {
    if (records == 0) return false;
    if (write.records_left != write.records_total ||
        write.records_left > records) {
      return true;
    }
    records -= write.records_left;
  }
  return false;
}

void PartitionRuntime::OnAppended(size_t records, Result<Offset> result) {
  if (!result) {
    LOG(WARNING) << "coordinator append failed partition="
                 << ToString(partition_) << " epoch=" << epoch_
                 << " error=" << ToString(result.error());
    const ErrorCode error = result.error().code;
    if (!NothingWasAppended(error) || SplitsAWrite(records)) {
      // What was written may yet be committed: only the log can tell.
      Deactivate(ClientErrorOf(error), State::kLoading);
      return RetryLoad(kRetry);
    }
  }
  const uint64_t term = term_;
  while (records > 0) {
    CHECK(!writes_.empty()) << ToString(partition_);
    PendingWrite& write = writes_.front();
    const size_t part = std::min(records, write.records_left);
    write.records_left -= part;
    records -= part;
    if (write.records_left > 0) break;
    auto settled = std::move(write.settled);
    writes_.pop_front();
    settled(result ? Status()
                   : Fail(ClientErrorOf(result.error().code),
                          result.error().message));
    if (!IsCurrent(term)) return;
  }
  appending_ = false;
  AppendNext();
}

}  // namespace tidemark::coordinator
