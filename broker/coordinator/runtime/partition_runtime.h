#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "broker/coordinator/runtime/state_machine.h"
#include "broker/replication/replica_manager.h"
#include "common/base/executor.h"

namespace tidemark::coordinator {

// Keeps one StateMachine in step with the log partition that it is made of,
// as long as this broker leads the partition (B-37):
//
//   kInactive --Lead--> kLoading(epoch) --end of log read and committed-->
//   kActive --Resign--> kInactive
//   kLoading --log unreadable--> kFailed --retry--> kLoading
//   kActive --outcome of an append unknown--> kLoading
//
// Loading reads to the log's end, not to the high watermark known at the
// time, and waits until that end is committed: otherwise commits acknowledged
// by the last coordinator would be missing (F105).
//
// Writes: one append is in flight at a time; what arrives meanwhile goes into
// the next one together (group commit). Everything, callbacks included, runs
// on the executor that owns the partition. Hold it by shared_ptr; results
// that arrive after Resign, a newer Lead or its end are dropped.
class PartitionRuntime : public std::enable_shared_from_this<PartitionRuntime> {
 public:
  enum class State : uint8_t { kInactive, kLoading, kActive, kFailed };

  // `machine` outlives the runtime.
  PartitionRuntime(TopicPartition partition, replication::ReplicaManager& log,
                   StateMachine& machine);

  State state() const { return state_; }
  const TopicPartition& partition() const { return partition_; }
  Executor& executor() const { return executor_; }

  // kNone when active, else what requests are to be answered.
  ErrorCode Availability() const;

  // This broker leads in `epoch`. An epoch that is not newer is ignored.
  void Lead(LeaderEpoch epoch);
  // It does not any more. Ignored when `epoch` is older than the one led in.
  void Resign(LeaderEpoch epoch);

  // Appends `records` in order. `settled` runs once: when all are committed,
  // or with the coordinator error for clients. It does not run when the
  // runtime is not active any more; OnInactive stands for it.
  // REQUIRES: state() == kActive, `records` not empty.
  void Write(std::vector<LogRecord> records,
             std::function<void(Status)> settled);

 private:
  struct PendingWrite {
    size_t records_left = 0;
    size_t records_total = 0;
    std::function<void(Status)> settled;
  };

  bool IsCurrent(uint64_t term) const { return term == term_; }
  void Deactivate(ErrorCode why, State next);
  void StartLoad();
  void ReadMore();
  void OnChunk(Result<replication::LogChunk> chunk);
  Status LoadChunk(std::string_view batches);
  void RetryLoad(Duration delay);
  void AppendNext();
  bool SplitsAWrite(size_t records) const;
  void OnAppended(size_t records, Result<Offset> result);

  const TopicPartition partition_;
  replication::ReplicaManager& log_;
  StateMachine& machine_;
  Executor& executor_;

  State state_ = State::kInactive;
  LeaderEpoch epoch_ = -1;
  uint64_t term_ = 0;       // +1 whenever earlier callbacks stop being wanted
  Offset next_offset_ = 0;  // of the load
  Instant load_started_;
  Duration commit_poll_{};  // between looks at the high watermark
  uint64_t records_loaded_ = 0;
  std::deque<LogRecord> queue_;
  size_t queue_bytes_ = 0;
  std::deque<PendingWrite> writes_;
  bool appending_ = false;
};

// What a failed append means to the client of a coordinator (kafka
// CoordinatorOperationExceptionHelper).
ErrorCode ClientErrorOf(ErrorCode append_error);

}  // namespace tidemark::coordinator
