#pragma once

#include <utility>

#include "controller/raft/ready.h"

namespace tidemark::raft {

// A disk for raft cores in tests: what has been written survives, and the
// owner decides when that is. Does what controller/storage does.
class RaftDisk {
 public:
  void Apply(const Write& write) {
    if (write.hard_state) stored_.hard_state = *write.hard_state;
    if (write.snapshot) {
      snapshot_ = *write.snapshot;
      stored_.snapshot = stored_.base = snapshot_.last;
      if (snapshot_.members) stored_.members = snapshot_.members;
      stored_.entries.clear();
    }
    if (!write.entries.empty()) {
      stored_.entries.resize(write.entries.front().index - stored_.base.index -
                             1);
      for (const Entry& entry : write.entries) stored_.entries.push_back(entry);
    }
  }

  // Freshly formatted for a quorum whose first members are known.
  void Format(MembersPtr members) { stored_.members = std::move(members); }

  // A snapshot of the own state machine; entries up to `compact_to` go.
  void SaveSnapshot(Snapshot snapshot, LogIndex compact_to) {
    StoreSnapshot(std::move(snapshot));
    Compact(compact_to);
  }
  void StoreSnapshot(Snapshot snapshot) {
    if (snapshot.last.index <= stored_.snapshot.index) return;
    stored_.snapshot = snapshot.last;
    if (snapshot.members) stored_.members = snapshot.members;
    snapshot_ = std::move(snapshot);
  }
  void Compact(LogIndex compact_to) {
    if (compact_to <= stored_.base.index) return;
    const size_t count = compact_to - stored_.base.index;
    stored_.base = stored_.entries[count - 1].position();
    stored_.entries.erase(stored_.entries.begin(),
                          stored_.entries.begin() + count);
  }

  const Stored& stored() const { return stored_; }
  const Snapshot& snapshot() const { return snapshot_; }

 private:
  Stored stored_;
  Snapshot snapshot_;
};

}  // namespace tidemark::raft
