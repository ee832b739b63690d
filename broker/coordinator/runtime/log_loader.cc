#include "broker/coordinator/runtime/log_loader.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/coordinator/runtime/written_at.h"
#include "common/record/batch_reader.h"
#include "common/record/control_record.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A slice: a few milliseconds of a thread that serves others meanwhile.
constexpr size_t kReadBytes = 128 << 10;
constexpr Duration kFirstCommitPoll = milliseconds(2);
constexpr Duration kMaxCommitPoll = milliseconds(100);
constexpr Duration kRetry = milliseconds(100);
constexpr Duration kUnreadableRetry = seconds(5);

}  // namespace

LogLoader::LogLoader(TopicPartition partition, LeaderEpoch epoch,
                     replication::ReplicaManager& log, LogState& state,
                     std::function<void(Loaded)> done)
    : partition_(std::move(partition)),
      epoch_(epoch),
      log_(log),
      state_(state),
      executor_(log.ShardOf(partition_)),
      done_(std::move(done)) {}

void LogLoader::Start() {
  state_.Clear();
  unreadable_ = begun_ = false;
  next_offset_ = 0;
  loaded_ = {};
  commit_poll_ = kFirstCommitPoll;
  ReadMore();
}

void LogLoader::ReadMore() {
  log_.ReadLog(partition_, epoch_, next_offset_, kReadBytes, executor_,
               [weak = weak_from_this()](Result<replication::LogChunk> chunk) {
                 if (auto self = weak.lock()) self->OnChunk(std::move(chunk));
               });
}

void LogLoader::After(Duration delay, void (LogLoader::*next)()) {
  executor_.PostAfter(delay, [weak = weak_from_this(), next] {
    if (auto self = weak.lock()) (self.get()->*next)();
  });
}

bool LogLoader::HasMoved(const replication::LogChunk& chunk) const {
  return (begun_ && chunk.start_offset > next_offset_) ||
         chunk.end_offset < next_offset_;
}

void LogLoader::OnChunk(Result<replication::LogChunk> chunk) {
  if (!chunk) {
    // Usually leadership that has moved on and that we hear of next.
    VLOG(1) << "coordinator load read failed partition=" << ToString(partition_)
            << " epoch=" << epoch_ << " error=" << ToString(chunk.error());
    return After(kRetry, &LogLoader::Start);
  }
  if (HasMoved(*chunk)) return Start();
  if (!begun_) next_offset_ = chunk->start_offset;
  begun_ = true;
  if (Status replayed = Replay(chunk->batches.view()); !replayed) {
    LOG(ERROR) << "coordinator cannot load partition=" << ToString(partition_)
               << " epoch=" << epoch_ << " next_offset=" << next_offset_
               << " error=" << ToString(replayed.error());
    unreadable_ = true;
    return After(kUnreadableRetry, &LogLoader::Start);
  }
  // Nothing was returned: the rest holds no record (compaction leaves gaps).
  if (chunk->batches.empty()) next_offset_ = chunk->end_offset;
  if (next_offset_ < chunk->end_offset) return ReadMore();
  if (chunk->high_watermark < chunk->end_offset) {
    commit_poll_ = std::min(commit_poll_ * 2, kMaxCommitPoll);
    return After(commit_poll_, &LogLoader::ReadMore);
  }
  loaded_.end_offset = chunk->end_offset;
  done_(loaded_);
}

Status LogLoader::Replay(std::string_view batches) {
  record::BatchIterator iterator(batches);
  while (true) {
    TM_ASSIGN_OR_RETURN(std::optional<record::BatchView> batch,
                        iterator.Next());
    if (!batch) return {};
    TM_RETURN_IF_ERROR(record::ParseAndVerifyBatch(batch->bytes));
    if (batch->header.NextOffset() <= next_offset_) continue;
    TM_RETURN_IF_ERROR(ReplayBatch(batch->bytes));
    loaded_.bytes += batch->bytes.size();
    next_offset_ = batch->header.NextOffset();
  }
}

Status LogLoader::ReplayBatch(std::string_view batch) {
  TM_ASSIGN_OR_RETURN(auto reader, record::RecordReader::Open(batch));
  const record::BatchHeader& header = reader.header();
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto record, reader.Next());
    if (!record) return {};
    // A log may begin inside of a batch.
    if (record->offset < next_offset_ || !record->key) continue;
    const RecordMeta meta{WrittenAt(*record), record->timestamp,
                          header.producer_id, header.producer_epoch,
                          header.IsTransactional()};
    ++loaded_.records;
    if (header.IsControl()) {
      TM_RETURN_IF_ERROR(
          ReplayMarker(meta, *record->key, record->value.value_or("")));
    } else {
      TM_RETURN_IF_ERROR(state_.Load(meta, *record->key, record->value));
    }
  }
}

Status LogLoader::ReplayMarker(const RecordMeta& meta, std::string_view key,
                               std::string_view value) {
  // Other control records (a leader's change, of another broker) say nothing
  // about the state.
  if (!meta.transactional) return {};
  TM_ASSIGN_OR_RETURN(const auto marker,
                      record::ParseTransactionMarker(key, value));
  state_.ApplyMarker({meta, marker.type == record::ControlRecordType::kCommit});
  return {};
}

}  // namespace tidemark::coordinator
