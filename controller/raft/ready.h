#pragma once

#include <optional>
#include <vector>

#include "controller/raft/message.h"
#include "controller/raft/types.h"

namespace tidemark::raft {

// What must become durable, as one atomic change, in the order of the ids.
//
// An installed `snapshot` replaces the whole log. `entries` replace everything
// the storage holds from entries.front().index on. `messages` promise what
// this write and the ones before it hold: they may leave only when it is
// durable. Then the owner calls Raft::OnWritten(id).
struct Write {
  uint64_t id = 0;
  std::optional<HardState> hard_state;
  std::optional<Snapshot> snapshot;
  std::vector<Entry> entries;
  std::vector<Message> messages;

  // Nothing to store: only messages that wait for earlier writes.
  bool IsOnlyMessages() const {
    return !hard_state && !snapshot && entries.empty();
  }
};

// A read asked for with Raft::ReadIndex: it may be served once `index` has
// been applied.
struct ReadState {
  uint64_t context = 0;
  LogIndex index = 0;
};

// A snapshot that a leader has sent, for the owner to look at.
struct SnapshotCheck {
  uint64_t id = 0;
  LogPosition last;
  SharedBytes data;
};

// The effects of what was stepped into the core, for its owner to carry out:
//   1. send `messages`: they promise nothing that is not durable yet;
//   2. queue `write`;
//   3. load `snapshot`, then apply `committed`, before the next TakeReady();
//   4. answer `reads`;
//   5. if `wants_snapshot`: Raft::ProvideSnapshot() soon, a follower needs it;
//   6. see whether `check` is a snapshot, in one's own time:
//      Raft::SnapshotChecked().
struct Ready {
  std::vector<Message> messages;
  std::optional<Write> write;
  std::optional<Snapshot> snapshot;
  std::vector<Entry> committed;
  std::vector<ReadState> reads;
  bool wants_snapshot = false;
  std::optional<SnapshotCheck> check;

  bool empty() const {
    return messages.empty() && !write && !snapshot && committed.empty() &&
           reads.empty() && !wants_snapshot && !check;
  }
};

}  // namespace tidemark::raft
