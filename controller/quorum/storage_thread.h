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
#include "common/io/event_loop.h"
#include "controller/quorum/disk.h"
#include "controller/storage/raft_storage.h"

namespace tidemark::quorum {

// Runs a RaftStorage on a thread of its own, in order, so that nobody waits
// for the disk who need not, and snapshots on another. Writes that queue up
// while one is synced share the next sync. Callbacks run on `executor`. Any
// error is fatal: LOG(FATAL).
//
// A disk that fills up is none: where less than kLeastFree is left nothing is
// begun, and all waits as behind a disk that hangs, until there is room again.
class StorageThread final : public Disk {
 public:
  // `snapshot_bytes`: of the snapshot that is there.
  StorageThread(std::unique_ptr<storage::RaftStorage> storage,
                std::string directory, Executor& executor,
                size_t snapshot_bytes);
  // Finishes what is queued, if there is room; callbacks may not run any more.
  ~StorageThread() override;

  void Write(raft::Write write, const std::shared_ptr<Written>& done) override;
  void SaveSnapshot(raft::LogPosition last, raft::MembersPtr members,
                    std::shared_ptr<const FrozenState> state,
                    raft::LogIndex compact_to,
                    std::function<void(size_t bytes)> done) override;
  void SavePeer(NodeId id, const Uuid& directory,
                std::function<void()> done) override;
  void LoadSnapshot(std::function<void(raft::Snapshot)> done) override;

  // The thread of the snapshots, for what else takes long.
  Executor& background() { return background_; }

  // Any thread.
  bool full() const override { return full_; }
  Times write_times() const override {
    std::lock_guard lock(mutex_);
    return write_times_;
  }

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
  bool HasRoom(uint64_t more = 0) const;
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
  // Of the largest one seen, and whether it was told that there is no room for
  // another; on that thread.
  size_t snapshot_bytes_;
  bool lacks_room_ = false;
  // Last, so that what it still does finds the rest there.
  io::EventLoop background_{"raft-snapshots"};
};

}  // namespace tidemark::quorum
