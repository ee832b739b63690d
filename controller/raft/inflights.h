#pragma once

#include <deque>

#include "controller/raft/types.h"

namespace tidemark::raft {

// Appends sent to one follower and not yet acknowledged: a window bounded in
// messages and in bytes, so that a slow follower costs bounded memory.
class Inflights {
 public:
  Inflights(size_t max_messages, size_t max_bytes)
      : max_messages_(max_messages), max_bytes_(max_bytes) {}

  bool Full() const {
    return sent_.size() >= max_messages_ || bytes_ >= max_bytes_;
  }
  void Add(LogIndex last, size_t bytes) {
    sent_.push_back({last, bytes});
    bytes_ += bytes;
  }
  // Everything up to `index` has arrived.
  void FreeTo(LogIndex index) {
    while (!sent_.empty() && sent_.front().last <= index) {
      bytes_ -= sent_.front().bytes;
      sent_.pop_front();
    }
  }
  void Clear() {
    sent_.clear();
    bytes_ = 0;
  }
  size_t count() const { return sent_.size(); }

 private:
  struct Sent {
    LogIndex last;
    size_t bytes;
  };
  size_t max_messages_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  std::deque<Sent> sent_;
};

}  // namespace tidemark::raft
