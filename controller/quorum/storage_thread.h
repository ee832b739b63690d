#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/executor.h"
#include "controller/quorum/quorum.h"
#include "controller/storage/raft_storage.h"

namespace tidemark::quorum {

// Runs a RaftStorage on a thread of its own, in order, so that nobody waits
// for the disk who need not. Writes that queue up while one is synced share
// the next sync. Callbacks run on `executor`. Any error is fatal: LOG(FATAL).
//
// A disk that fills up is none: where less than kLeastFree is left nothing is
// begun, and all waits as behind a disk that hangs, until there is room again.
class StorageThread {
 public:
  // What RocksDB may need to end what it has begun.
  static constexpr uint64_t kLeastFree = 16 << 20;

  StorageThread(std::unique_ptr<storage::RaftStorage> storage,
                std::string directory, Executor& executor);
  // Finishes what is queued, if there is room; callbacks may not run any more.
  ~StorageThread();

  // `done` gets the writes back (without their entries) once they are durable.
  using Written = std::function<void(std::vector<raft::Write>)>;
  void Write(raft::Write write, const std::shared_ptr<Written>& done);
  void SaveSnapshot(raft::Snapshot snapshot, raft::LogIndex compact_to,
                    std::function<void()> done);
  void SavePeer(NodeId id, const Uuid& directory, std::function<void()> done);
  void LoadSnapshot(std::function<void(raft::Snapshot)> done);

  // It waits for room on the disk. Any thread.
  bool full() const { return full_; }
  // Of Write. Any thread.
  Times write_times() const {
    std::lock_guard lock(mutex_);
    return write_times_;
  }
  const io::MetaProperties& meta() const { return storage_->meta(); }

 private:
  struct Job {
    // Either a write, or anything else.
    raft::Write write;
    std::shared_ptr<Written> written;
    std::function<void()> run;
  };
  void Add(Job job);
  void Loop();
  bool WaitForRoom();
  void RunWrites(std::vector<Job> jobs);

  std::unique_ptr<storage::RaftStorage> storage_;
  const std::string directory_;
  Executor& executor_;
  std::atomic<bool> full_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  Times write_times_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidemark::quorum
