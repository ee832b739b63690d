#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace tidemark::coordinator {

// tidemark.coordinator.snapshot.min.bytes and .dead.ratio.
struct SnapshotOptions {
  int64_t min_bytes = 16 << 20;
  int64_t dead_ratio = 2;
};

// When a coordinator's log is worth writing anew, and how far that has come:
//
//   kIdle --Start--> kWriting --Written--> kTrimming --Trimmed--> kIdle
//   any --Abandon--> kIdle, and not again for a while
//
// A snapshot is records like any other, of everything that is live, between
// other writes at the end of the log. When the last of them is committed
// nothing is needed any more in front of the offset at which it began, or of
// the oldest transaction that was open then. Pure; one owner.
class SnapshotPlan {
 public:
  explicit SnapshotPlan(SnapshotOptions options) : options_(options) {}

  // A load begins: the log is counted from its start.
  void Clear();
  // Bytes of a batch in the log, loaded or committed.
  void Counted(size_t bytes);
  // Somebody else writes to the log. What is live is not known exactly any
  // more, so nothing is trimmed until it has been loaded again.
  void Distrust() { trusted_ = false; }

  // Whether what is dead outweighs what is live so much that it pays.
  bool Due(size_t live_bytes, Instant now) const;
  // `end`: where the log ends, all of it being part of the state. `open`: where
  // the oldest transaction begins that has no end there.
  void Start(Offset end, std::optional<Offset> open);
  void Written() { state_ = State::kTrimming; }
  void Trimmed();
  void Abandon(Instant now);

  bool writing() const { return state_ == State::kWriting; }
  bool trimming() const { return state_ == State::kTrimming; }
  bool trusted() const { return trusted_; }
  // REQUIRES: writing() or trimming(). Where the log is to begin afterwards.
  Offset trim_to() const { return trim_to_; }
  uint64_t log_bytes() const { return log_bytes_; }

 private:
  enum class State : uint8_t { kIdle, kWriting, kTrimming };

  const SnapshotOptions options_;
  State state_ = State::kIdle;
  bool trusted_ = true;
  Offset trim_to_ = -1;
  Instant not_before_{};
  uint64_t log_bytes_ = 0;
  uint64_t bytes_since_start_ = 0;
  uint64_t bytes_after_last_ = 0;  // log_bytes_ when the last one had ended
};

}  // namespace tidemark::coordinator
