#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/log/log_manager.h"
#include "broker/replication/replica_manager_impl.h"
#include "broker/replication/throttle.h"
#include "common/base/clock.h"

namespace tidemark::replication {

// Moves replicas between the log directories of this broker (KIP-113), on a
// thread of its own: copies a log into a future one in the other directory,
// some of each in turn, and when little is left holds the partition up for as
// long as the rest and the change of names take (log/move_names.h).
//
// What is asked for is a folder on disk, so the next process goes on with it,
// from the beginning. A move waits for as long as the other disk has no room,
// and ends with the replica.
class ReplicaMover {
 public:
  // It is in the directory now. Any thread.
  using OnMoved = std::function<void(
      const TopicPartition&, const Uuid& topic_id, const std::string& dir)>;

  // All outlive it; so do the executors of `replicas`, or they have stopped.
  ReplicaMover(log::LogManager& logs, ReplicaManagerImpl& replicas,
               const Clock& clock, OnMoved on_moved);
  ~ReplicaMover();
  ReplicaMover(const ReplicaMover&) = delete;
  ReplicaMover& operator=(const ReplicaMover&) = delete;

  // When the first image has been applied: before, no partition is here.
  void Start();
  // The move that is under way is given up, or ends if it is too late for that.
  // While the shards still run.
  void Stop();

  // replica.alter.log.dirs.io.max.bytes.per.second. Any thread.
  void SetRate(int64_t bytes_per_second) {
    pace_.SetRate(bytes_per_second);
    rate_ = bytes_per_second;
  }

  // A partition, and the log directory it is to be in.
  using Wanted = std::vector<std::pair<TopicPartition, std::string>>;
  // Any thread; `done` on the mover's, with an answer for each in their order:
  // kNone: it moves, or is there. kLogDirNotFound, kInvalidTopicException (its
  // name is too long), kKafkaStorageError: a directory is offline.
  // kReplicaNotAvailable, kUnknownTopicOrPartition: it is not here, and will be
  // made in that directory if it comes.
  void Move(Wanted wanted, std::function<void(std::vector<ErrorCode>)> done);

  struct Future {
    TopicPartition partition;
    std::string directory;
    int64_t bytes = 0;
    Offset end = 0;
  };
  // Any thread.
  std::vector<Future> Futures() const;
  int64_t moved() const { return moved_; }

 private:
  struct Moving {
    std::string directory;
    std::string folder;
    Uuid topic_id;  // of `future`
    std::unique_ptr<log::Log> future;
    Instant not_before{};
    int64_t unsynced = 0;
    bool told = false;        // why it does not go on
    Offset damage_told = -1;  // where it was found
  };
  struct Asked {
    Wanted wanted;
    std::function<void(std::vector<ErrorCode>)> done;
  };
  // Of a move that cannot go on: it ends, or is tried again.
  enum class Outcome { kGoesOn, kWaits, kEnds };

  void Run();
  ReplicaShard& ShardOf(const TopicPartition& partition);
  ErrorCode Begin(const TopicPartition& partition,
                  const std::string& directory);
  void End(const TopicPartition& partition);
  // Of the next whose turn it is; false: nothing can be done now.
  bool Step();
  Outcome Advance(const TopicPartition& partition, Moving& move);
  Outcome Failed(const TopicPartition& partition, Moving& move,
                 const Error& error);
  Status Prepare(const TopicPartition& partition, Moving& move,
                 const ReplicaState& state);
  Result<size_t> Copy(const TopicPartition& partition, Moving& move,
                      const CopyChunk& chunk);
  Status SyncFuture(Moving& move);
  // The end of a move, where others do not change the log's names meanwhile.
  Status Finish(const TopicPartition& partition, Moving& move);
  Status FinishHeldUp(const TopicPartition& partition, Moving& move);
  Status Commit(const TopicPartition& partition, const Moving& move,
                const ReplicaState& state, log::Log& copy);
  void TellOfDamage(const TopicPartition& partition, Moving& move,
                    const WhichLog& which, const Error& error);
  Status CopyRest(const TopicPartition& partition, Moving& move,
                  ReplicaState* state);
  void Publish(const TopicPartition& partition, const Moving& move);

  log::LogManager& logs_;
  ReplicaManagerImpl& replicas_;
  const Clock& clock_;
  const OnMoved on_moved_;
  Throttle pace_;
  std::atomic<int64_t> rate_ = Throttle::kUnlimited;
  std::atomic<int64_t> moved_ = 0;

  std::map<TopicPartition, Moving> moves_;  // of the thread
  TopicPartition last_;                     // whose turn it was

  mutable std::mutex mutex_;  // of what follows
  std::deque<Asked> asked_;
  std::map<TopicPartition, Future> futures_;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace tidemark::replication
