#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "proto/raft.pb.h"

namespace tidemark::quorum {

// What waits to be sent to one voter. Bounded: what does not fit is dropped,
// for raft sends again.
//
// A heartbeat overtakes the appends that wait, since a follower that hears
// none asks for votes, and is never dropped; a newer one takes the place of
// one that waits. It overtakes nothing else: a transfer of leadership comes
// after what the other one needs for it, and the answer to a heartbeat tells
// what became of a piece of a snapshot before it.
//
// Not synchronized.
class Outbox {
 public:
  struct Limits {
    size_t messages;
    size_t bytes;
  };

  // Without room the newest, not `message`, stay when `keep_newest`.
  void Push(raft::v1::Envelope message, const Limits& limits, bool keep_newest);
  // The next one to send; nullopt when there is none.
  std::optional<raft::v1::Envelope> Pop();

  bool empty() const { return !heartbeat_ && queue_.empty(); }
  // So many were dropped, ever.
  uint64_t dropped() const { return dropped_; }

 private:
  raft::v1::Envelope TakeFirst();

  // Behind what of the queue it has to stay: so many of the first.
  struct Heartbeat {
    raft::v1::Envelope message;
    size_t behind;
  };
  std::optional<Heartbeat> heartbeat_;
  std::deque<raft::v1::Envelope> queue_;
  size_t bytes_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace tidemark::quorum
