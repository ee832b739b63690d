#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/coordinator/runtime/log_loader.h"
#include "broker/coordinator/runtime/log_state.h"
#include "broker/coordinator/runtime/snapshot_plan.h"
#include "broker/replication/replica_manager.h"
#include "common/base/executor.h"

namespace tidemark::coordinator {

// Keeps one LogState in step with the log partition that it is made of, as
// long as this broker leads the partition (B-37):
//
//   kInactive --Lead--> kLoading(epoch) --end of log read and committed-->
//   kActive --Resign--> kInactive
//   kActive --outcome of an append unknown--> kLoading
//
// Loading reads to the log's end, not to the high watermark known at the
// time, and waits until that end is committed: otherwise commits acknowledged
// by the last coordinator would be missing (F105).
//
// Writes: one append is in flight at a time; what arrives meanwhile goes into
// the next one together (group commit). A batch holds whole writes, or a part
// of one that is larger than a batch. Writes of a producer's transaction have
// batches of their own, and so has every marker, in order with all others.
//
// Snapshots (SnapshotPlan) bound the log and with it the time a load takes.
// While nothing is in flight the state is exactly the log replayed, so live
// records appended then say nothing new: a log that ends anywhere among them
// (a crash, a truncation, another leader) is as good as one without. When all
// are committed, every replica that may lead has them, and the log's start
// moves to the first; followers learn that as they learn of any start. The
// rest of the log says all that the whole one said, tombstones included:
// what it deletes and what was deleted are in front of the start or behind it
// in their order.
//
// Open transactions: of one that is open when a snapshot begins the records
// may lie in front of that and its marker behind, and what the marker makes of
// them may come too late for the snapshot to hold it. So the log is trimmed to
// the first of them that is still needed, if that lies further in front. A log
// that begins there, or anywhere in front of it, says all that the whole one
// said. Let u be where it begins and s where the snapshot began. Every
// transaction that was open at s, or began later, is there as a whole, and ends
// as it did. What is taken for the end of one that had ended before s makes
// facts of a part of its records: true ones, perhaps not the newest of their
// key. But the newest before s, if the key has one, is in the snapshot, or has
// been replaced behind s; and if it has none, it was deleted, behind all
// markers that made something of it: at u or later, and the deletion is there
// too, or in front of u, and so are those markers. Deletions drop what is open,
// so that nothing deleted comes back with a marker. Where a marker asks which
// of two is newer, a fact's copy in the snapshot answers as the fact did
// (written_at.h).
//
// Everything, callbacks included, runs on the executor that owns the
// partition. Hold it by shared_ptr; results that arrive after Resign, a newer
// Lead or its end are dropped.
class PartitionRuntime : public std::enable_shared_from_this<PartitionRuntime> {
 public:
  enum class State : uint8_t { kInactive, kLoading, kActive };
  // Where each record of the write lies.
  using Settled = std::function<void(Result<std::vector<RecordMeta>>)>;

  // `state` outlives the runtime.
  PartitionRuntime(TopicPartition partition, replication::ReplicaManager& log,
                   const SnapshotOptions& snapshots, LogState& state);

  State state() const { return state_; }
  const TopicPartition& partition() const { return partition_; }
  Executor& executor() const { return executor_; }

  // kNone when active, else what requests are to be answered.
  ErrorCode Availability() const;

  // This broker leads in `epoch`. An epoch that is not newer is ignored.
  void Lead(LeaderEpoch epoch);
  // It does not any more. Ignored when `epoch` is older than the one led in.
  void Resign(LeaderEpoch epoch);

  // Appends `records` in order, as a part of the producer's transaction if
  // there is one. `settled` runs once: when all are committed, or with the
  // coordinator error for clients. It does not run when the runtime is not
  // active any more; OnInactive stands for it.
  // REQUIRES: state() == kActive, `records` not empty.
  void Write(std::vector<LogRecord> records, std::optional<Producer> producer,
             Settled settled);
  // Appends a marker, likewise; `settled` gets the one meta.
  void WriteMarker(const TransactionEnd& end, Settled settled);

 private:
  // What the records of a batch have in common.
  struct BatchKind {
    std::optional<Producer> producer;
    bool is_marker = false;
    int8_t transaction_version = 0;  // of a marker
    bool operator==(const BatchKind&) const = default;
  };
  struct PendingWrite {
    BatchKind kind;
    std::vector<LogRecord> records;
    size_t bytes = 0;
    std::vector<RecordMeta> metas;  // of the records that are committed
    Settled settled;
  };
  // The append under way: records of the first writes, or of a snapshot.
  struct InFlight {
    size_t records = 0;
    size_t bytes = 0;
    int64_t timestamp_ms = 0;
    bool of_snapshot = false;
    log::TransactionContext transaction = {};
  };

  bool IsCurrent(uint64_t term) const { return term == term_; }
  bool IsAmidAWrite() const;
  void Deactivate(ErrorCode why, State next);
  void Load(Duration delay);
  void OnLoaded(const LogLoader::Loaded& loaded);

  void Enqueue(PendingWrite write);
  void AppendNext();
  void AppendWrites();
  void Append(std::string batch, InFlight flight);
  void OnAppended(const Result<Offset>& last);
  void OnCommitted(const InFlight& flight, Offset last);
  void OnFailed(const InFlight& flight, const Error& error);
  void Settle(const InFlight& flight, Offset first);
  PendingWrite TakeFirstWrite();

  void StartSnapshot();
  void AppendOfSnapshot();
  void Trim();
  void OnTrimmed(const Status& trimmed);

  const TopicPartition partition_;
  replication::ReplicaManager& log_;
  LogState& log_state_;
  Executor& executor_;

  State state_ = State::kInactive;
  LeaderEpoch epoch_ = -1;
  uint64_t term_ = 0;  // +1 whenever earlier callbacks stop being wanted
  std::shared_ptr<LogLoader> loader_;  // while kLoading
  Instant load_started_;
  // While kActive. Where the log ends, as far as it is part of the state.
  Offset next_offset_ = 0;
  std::deque<PendingWrite> writes_;
  size_t queue_bytes_ = 0;
  // Also while its callers are told.
  std::optional<InFlight> in_flight_;
  SnapshotPlan snapshots_;
  bool snapshots_turn_ = false;  // writes and snapshots take turns
};

// What a failed append means to the client of a coordinator (kafka
// CoordinatorOperationExceptionHelper).
ErrorCode ClientErrorOf(ErrorCode append_error);

}  // namespace tidemark::coordinator
