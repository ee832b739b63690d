#pragma once

#include <cstdint>
#include <deque>

namespace tidemark::raft {

// How long the disk has kept its oldest write, in ticks. A disk that fails
// says so; one that hangs says nothing, and only this tells.
class WriteClock {
 public:
  void Tick() { ++now_; }
  void Begin() { begun_.push_back(now_); }
  // The oldest one is durable. REQUIRES: one has begun.
  void End() { begun_.pop_front(); }
  uint64_t oldest() const { return begun_.empty() ? 0 : now_ - begun_.front(); }

 private:
  uint64_t now_ = 0;
  std::deque<uint64_t> begun_;
};

}  // namespace tidemark::raft
