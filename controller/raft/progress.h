#pragma once

#include <string>

#include "controller/raft/inflights.h"
#include "controller/raft/types.h"

namespace tidemark::raft {

// What a leader knows of one follower's log. 0 <= match < next.
//
// Probe: the follower's end is unknown; one append at a time looks for it.
// Replicate: it matches up to next-1; appends are pipelined.
// Snapshot: it needs entries that are compacted; no append until it has
// installed a snapshot.
class Progress {
 public:
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };

  Progress(LogIndex next, Inflights inflights)
      : next_(next), inflights_(std::move(inflights)) {}

  State state() const { return state_; }
  LogIndex match() const { return match_; }
  LogIndex next() const { return next_; }

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot();

  // No append with entries may be sent now.
  bool Paused() const;
  // An append with entries up to `last` (or none: last == next-1) was sent.
  void Sent(LogIndex last, size_t bytes, LogIndex commit);

  // The follower has everything up to `index` durably. False: nothing new.
  bool Acked(LogIndex index);
  // The follower lacks `rejected`; it may match at `hint`. False: stale, or
  // known not to be true.
  bool Rejected(LogIndex rejected, LogIndex hint);

  // A heartbeat was answered: the link works, so what was sent before may be
  // lost. Asks for one append, even an empty one.
  void Nudge();
  bool nudged() const { return nudged_; }
  // Largest commit index an append has told the follower.
  LogIndex sent_commit() const { return sent_commit_; }

  // Snapshot state: the transfer.
  struct Transfer {
    LogIndex index = 0;        // of the snapshot in transfer; 0: not begun
    uint64_t position = 0;     // first byte the follower lacks
    bool outstanding = false;  // a chunk is on its way
  };
  Transfer transfer;

  // Ticks since the follower was heard (check-quorum).
  uint32_t silent_ticks = 0;

  // Whose log it is; as in Member.
  Uuid directory;
  // No member any more: it is served until it knows.
  bool leaving = false;

 private:
  State state_ = State::kProbe;
  LogIndex match_ = 0;
  LogIndex next_;
  LogIndex sent_commit_ = 0;
  bool waiting_ = false;  // probe: for the answer to the one append
  bool nudged_ = false;
  Inflights inflights_;
};

std::string ToString(const Progress& progress);

}  // namespace tidemark::raft
