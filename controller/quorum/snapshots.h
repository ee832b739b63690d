#pragma once

#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "controller/quorum/disk.h"
#include "controller/quorum/options.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/raft.h"

namespace tidemark::quorum {

// Takes snapshots of the state machine when enough was applied since the last
// one, and has them stored; what they cover goes from the log then. What takes
// long with a large state, writing it down and reading it, does not take place
// on the executor. Owner: the executor's thread.
class Snapshots {
 public:
  // All outlive this; the machine outlives all that runs in `background`.
  Snapshots(const Options& options, Executor& executor, Executor& background,
            StateMachine& machine, Disk& disk, raft::Raft& core);

  // Gives the machine what the disk held, or a leader has sent, and calls
  // `loaded`; unless another one is loaded meanwhile.
  // What is none ends the process: it is the own disk's.
  void Load(raft::Snapshot snapshot, std::function<void()> loaded);
  // Sees whether a leader's is one; then `checked`. Such a one need not be read
  // again when it is loaded.
  void Check(raft::SnapshotCheck snapshot, std::function<void(Status)> checked);
  // The machine has applied these.
  void Count(const std::vector<raft::Entry>& entries);
  // The machine is at `applied`.
  void MaybeTake(raft::LogPosition applied);

  // What the newest durable one covers.
  raft::LogIndex index() const { return index_; }
  size_t bytes() const { return bytes_; }  // of the newest one taken
  const Times& times() const { return times_; }

 private:
  raft::MembersPtr MembersAt(raft::LogIndex index) const;
  using Install = std::shared_ptr<StateMachine::Install>;
  void Loaded(uint64_t load, const Install& install,
              const std::function<void()>& loaded);
  void Compact(raft::LogIndex to);
  void Saved(raft::LogPosition last, raft::LogIndex compact_to, Instant began,
             size_t bytes);

  const Options& options_;
  Executor& executor_;
  Executor& background_;
  StateMachine& machine_;
  Disk& disk_;
  raft::Raft& core_;
  raft::LogIndex index_ = 0;
  uint64_t applied_bytes_ = 0;  // since then
  bool taking_ = false;
  uint64_t loads_ = 0;  // begun
  // The newest one that was checked, until it is loaded.
  uint64_t checks_ = 0;
  raft::LogPosition read_last_;
  Install read_;
  size_t bytes_ = 0;
  Times times_;
  std::shared_ptr<Snapshots*> self_;  // what callbacks hold weakly
};

}  // namespace tidemark::quorum
