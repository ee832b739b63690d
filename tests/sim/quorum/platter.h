#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "controller/quorum/disk.h"
#include "controller/quorum/node.h"
#include "tests/sim/quorum/loop.h"
#include "tests/support/raft_disk.h"

namespace tidemark::sim {

// What is durable, beyond the lives of processes.
struct Platter {
  raft::RaftDisk raft;
  std::map<NodeId, Uuid> peers;
  bool slow = false;
  bool full = false;
  uint64_t hung_until = 0;  // ends nothing before

  quorum::Found Find() const { return {raft.stored(), raft.snapshot(), peers}; }
};

// The disk of one life of a process: carries its jobs out in their order, and
// takes its time; snapshots it stores and reads beside them. What has not ended
// when the process does may be there, in part, or not.
class SimDisk final : public quorum::Disk {
 public:
  // `lies`: says "durable" some writes too early. `saw`: every snapshot that
  // becomes durable.
  SimDisk(Timeline& timeline, Loop& loop, Platter& platter, bool lies,
          std::function<void(const raft::Snapshot&)> saw)
      : timeline_(timeline),
        loop_(loop),
        platter_(platter),
        lies_(lies),
        saw_(std::move(saw)) {}

  void Write(raft::Write write, const std::shared_ptr<Written>& done) override;
  void SaveSnapshot(raft::LogPosition last, raft::MembersPtr members,
                    std::shared_ptr<const quorum::FrozenState> state,
                    raft::LogIndex compact_to,
                    std::function<void(size_t bytes)> done) override;
  void SavePeer(NodeId id, const Uuid& directory,
                std::function<void()> done) override;
  void LoadSnapshot(std::function<void(raft::Snapshot)> done) override;
  bool full() const override { return platter_.full; }
  quorum::Times write_times() const override { return {}; }

  // Power is gone: of what was on its way any beginning may be there.
  void LosePower();
  size_t waiting() const { return jobs_.size(); }

 private:
  // Either a write, or anything else.
  struct Job {
    std::optional<raft::Write> write;
    std::shared_ptr<Written> written;
    std::function<void()> persist;
    std::function<void()> done;
  };
  void Add(Job job);
  void EndSnapshot(const raft::Snapshot& snapshot, raft::LogIndex compact_to,
                   const std::function<void(size_t bytes)>& done);
  uint64_t Takes();
  void Begin();
  void End();
  void Persist(const Job& job);

  Timeline& timeline_;
  Loop& loop_;
  Platter& platter_;
  const bool lies_;
  const std::function<void(const raft::Snapshot&)> saw_;
  std::deque<Job> jobs_;
  size_t begun_ = 0;      // of them, with one sync
  std::deque<Job> lied_;  // acknowledged, but not there
};

}  // namespace tidemark::sim
