#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "broker/coordinator/runtime/log_state.h"
#include "broker/replication/replica_manager.h"
#include "common/base/executor.h"

namespace tidemark::coordinator {

// Replays the log of a partition that is led here into a LogState, a slice at
// a time, until all of it is read and committed. What cannot be read is tried
// again, from the start, for as long as the loader lives; dropping it ends the
// load. On the partition's executor; hold it by shared_ptr.
class LogLoader : public std::enable_shared_from_this<LogLoader> {
 public:
  struct Loaded {
    Offset end_offset = 0;
    uint64_t bytes = 0;
    uint64_t records = 0;
  };

  // `state` and `log` outlive it. `done` runs once.
  LogLoader(TopicPartition partition, LeaderEpoch epoch,
            replication::ReplicaManager& log, LogState& state,
            std::function<void(Loaded)> done);

  void Start();
  // What was read is not what this coordinator writes; it tries again.
  bool unreadable() const { return unreadable_; }

 private:
  void ReadMore();
  void OnChunk(Result<replication::LogChunk> chunk);
  // The log is not the one that the load began with.
  bool HasMoved(const replication::LogChunk& chunk) const;
  Status Replay(std::string_view batches);
  Status ReplayBatch(std::string_view batch);
  Status ReplayMarker(const RecordMeta& meta, std::string_view key,
                      std::string_view value);
  void After(Duration delay, void (LogLoader::*next)());

  const TopicPartition partition_;
  const LeaderEpoch epoch_;
  replication::ReplicaManager& log_;
  LogState& state_;
  Executor& executor_;
  std::function<void(Loaded)> done_;

  bool unreadable_ = false;
  bool begun_ = false;  // a slice has been read
  Offset next_offset_ = 0;
  Duration commit_poll_{};  // between looks at the high watermark
  Loaded loaded_;
};

}  // namespace tidemark::coordinator
