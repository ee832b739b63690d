#include "tests/sim/quorum/platter.h"

#include <utility>

namespace tidemark::sim {
namespace {

constexpr uint64_t kLookAgainUs = 50'000;

}  // namespace

void SimDisk::Write(raft::Write write, const std::shared_ptr<Written>& done) {
  Add({std::move(write), done, nullptr, nullptr});
}

// Durable first, and compacted in the order of the writes.
void SimDisk::SaveSnapshot(raft::LogPosition last, raft::MembersPtr members,
                           std::shared_ptr<const quorum::FrozenState> state,
                           raft::LogIndex compact_to,
                           std::function<void(size_t)> done) {
  raft::Snapshot snapshot{last, SharedBytes(ToBytes(*state)),
                          std::move(members)};
  loop_.After(Takes(), [this, snapshot = std::move(snapshot), compact_to,
                        done = std::move(done)] {
    EndSnapshot(snapshot, compact_to, done);
  });
}

void SimDisk::EndSnapshot(const raft::Snapshot& snapshot,
                          raft::LogIndex compact_to,
                          const std::function<void(size_t)>& done) {
  if (platter_.full || timeline_.now() < platter_.hung_until)
    return loop_.After(kLookAgainUs, [this, snapshot, compact_to, done] {
      EndSnapshot(snapshot, compact_to, done);
    });
  saw_(snapshot);
  platter_.raft.StoreSnapshot(snapshot);
  Add({std::nullopt, nullptr,
       [this, compact_to] { platter_.raft.Compact(compact_to); },
       [done, bytes = snapshot.data.size()] { done(bytes); }});
}

void SimDisk::SavePeer(NodeId id, const Uuid& directory,
                       std::function<void()> done) {
  Add({std::nullopt, nullptr,
       [this, id, directory] { platter_.peers[id] = directory; },
       std::move(done)});
}

void SimDisk::LoadSnapshot(std::function<void(raft::Snapshot)> done) {
  loop_.After(Takes(), [this, done = std::move(done)] {
    loop_.Arrive(
        [done, snapshot = platter_.raft.snapshot()] { done(snapshot); });
  });
}

void SimDisk::Add(Job job) {
  jobs_.push_back(std::move(job));
  if (begun_ == 0) Begin();
}

// Writes that wait share a sync.
void SimDisk::Begin() {
  begun_ = 1;
  if (jobs_.front().write)
    while (begun_ < jobs_.size() && jobs_[begun_].write) ++begun_;
  loop_.After(Takes(), [this] { End(); });
}

uint64_t SimDisk::Takes() {
  const uint64_t takes = timeline_.random.Between(50, 3'000);
  return platter_.slow ? takes * timeline_.random.Between(1, 200) : takes;
}

void SimDisk::Persist(const Job& job) {
  if (job.write) {
    if (job.write->snapshot) saw_(*job.write->snapshot);
    platter_.raft.Apply(*job.write);
  } else if (job.persist) {
    job.persist();
  }
}

void SimDisk::End() {
  if (platter_.full || timeline_.now() < platter_.hung_until)
    return loop_.After(kLookAgainUs, [this] { End(); });
  auto writes = std::make_shared<std::vector<raft::Write>>();
  std::shared_ptr<Written> written;
  std::function<void()> done;
  for (; begun_ > 0; --begun_) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    if (lies_) {
      // The platter is behind by a few jobs.
      lied_.push_back(job);
      if (lied_.size() > 3) {
        Persist(lied_.front());
        lied_.pop_front();
      }
    } else {
      Persist(job);
    }
    done = std::move(job.done);
    written = std::move(job.written);
    if (!job.write) continue;
    job.write->entries.clear();
    job.write->snapshot.reset();
    writes->push_back(std::move(*job.write));
  }
  if (!jobs_.empty()) Begin();
  if (written) done = [written, writes] { (*written)(std::move(*writes)); };
  loop_.Arrive(std::move(done));
}

void SimDisk::LosePower() {
  if (lies_) return;
  for (uint64_t left = timeline_.random.Below(jobs_.size() + 1); left > 0;
       --left) {
    Persist(jobs_.front());
    jobs_.pop_front();
  }
}

}  // namespace tidemark::sim
