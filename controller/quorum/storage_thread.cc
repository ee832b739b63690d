#include "controller/quorum/storage_thread.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "common/io/file.h"

namespace tidemark::quorum {
namespace {

constexpr auto kLookForRoom = std::chrono::milliseconds(200);

void DieOn(const Status& status) {
  if (status) return;
  LOG(FATAL) << "controller storage failed, stopping: "
             << ToString(status.error());
}

}  // namespace

StorageThread::StorageThread(std::unique_ptr<storage::RaftStorage> storage,
                             std::string directory, Executor& executor,
                             size_t snapshot_bytes)
    : storage_(std::move(storage)),
      directory_(std::move(directory)),
      executor_(executor),
      snapshot_bytes_(snapshot_bytes) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "raft-storage");
    Loop();
  });
}

StorageThread::~StorageThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void StorageThread::Add(Job job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void StorageThread::Write(raft::Write write,
                          const std::shared_ptr<Written>& done) {
  Add({std::move(write), done, nullptr});
}

void StorageThread::SaveSnapshot(raft::LogPosition last,
                                 raft::MembersPtr members,
                                 std::shared_ptr<const FrozenState> state,
                                 raft::LogIndex compact_to,
                                 std::function<void(size_t)> done) {
  background_.Post([this, last, members = std::move(members),
                    state = std::move(state), compact_to,
                    done = std::move(done)]() mutable {
    // The one before goes only after it.
    const bool room = HasRoom(snapshot_bytes_ + snapshot_bytes_ / 4);
    LOG_IF(ERROR, !room && !lacks_room_)
        << "no room in " << directory_ << " for a snapshot of about "
        << (snapshot_bytes_ >> 20) << " MiB: the log grows until there is";
    lacks_room_ = !room;
    if (!room)
      return background_.PostAfter(
          kLookForRoom, [this, last, members, state, compact_to, done] {
            SaveSnapshot(last, members, state, compact_to, done);
          });
    auto bytes = storage_->StoreSnapshot(
        last, members, [&](const auto& part) { state->Write(part); });
    if (!bytes) DieOn(Fail(bytes.error()));
    snapshot_bytes_ = std::max(snapshot_bytes_, *bytes);
    state.reset();
    Add({{}, nullptr, [this, compact_to, bytes = *bytes, done] {
           DieOn(storage_->Compact(compact_to));
           executor_.Post([done, bytes] { done(bytes); });
         }});
  });
}

void StorageThread::SavePeer(NodeId id, const Uuid& directory,
                             std::function<void()> done) {
  Add({{}, nullptr, [this, id, directory, done = std::move(done)] {
         DieOn(storage_->SavePeer(id, directory));
         executor_.Post(done);
       }});
}

void StorageThread::LoadSnapshot(std::function<void(raft::Snapshot)> done) {
  background_.Post([this, done = std::move(done)] {
    auto snapshot = storage_->LoadSnapshot();
    if (!snapshot) DieOn(Fail(snapshot.error()));
    snapshot_bytes_ = std::max(snapshot_bytes_, snapshot->data.size());
    executor_.Post([done, snapshot = std::move(*snapshot)] { done(snapshot); });
  });
}

void StorageThread::Loop() {
  while (true) {
    std::vector<Job> writes;
    Job other;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      while (!jobs_.empty() && jobs_.front().written) {
        writes.push_back(std::move(jobs_.front()));
        jobs_.pop_front();
      }
      if (writes.empty()) {
        other = std::move(jobs_.front());
        jobs_.pop_front();
      }
    }
    if (!WaitForRoom()) return;
    if (!writes.empty()) {
      RunWrites(std::move(writes));
    } else {
      other.run();
    }
  }
}

// False: the thread is to end, and there is none. Nothing of what waited has
// been promised to anybody.
bool StorageThread::WaitForRoom() {
  while (true) {
    full_ = !HasRoom();
    if (!full_) return true;
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kLookForRoom, [this] { return stopping_; }))
      return false;
  }
}

bool StorageThread::HasRoom(uint64_t more) const {
  auto space = io::PosixFileSystem().Space(directory_);
  return !space || space->free >= kLeastFree + more;
}

void StorageThread::RunWrites(std::vector<Job> jobs) {
  std::shared_ptr<Written> done = jobs.front().written;
  std::vector<raft::Write> writes;
  writes.reserve(jobs.size());
  for (Job& job : jobs) writes.push_back(std::move(job.write));
  const Instant began = executor_.Now();
  DieOn(storage_->Write(writes));
  {
    std::lock_guard lock(mutex_);
    write_times_.Add(executor_.Now() - began);
  }
  for (raft::Write& write : writes) {
    write.entries.clear();
    write.snapshot.reset();
  }
  // A shared holder: std::function wants to be copyable.
  auto batch = std::make_shared<std::vector<raft::Write>>(std::move(writes));
  executor_.Post([done, batch] { (*done)(std::move(*batch)); });
}

}  // namespace tidemark::quorum
