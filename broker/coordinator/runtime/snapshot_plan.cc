#include "broker/coordinator/runtime/snapshot_plan.h"

#include <algorithm>

namespace tidemark::coordinator {
namespace {

// After one that came to nothing: what refused it may last.
constexpr Duration kPause = std::chrono::seconds(10);

}  // namespace

void SnapshotPlan::Clear() {
  state_ = State::kIdle;
  trusted_ = true;
  log_bytes_ = bytes_after_last_ = 0;
}

void SnapshotPlan::Counted(size_t bytes) {
  log_bytes_ += bytes;
  bytes_since_start_ += bytes;
}

bool SnapshotPlan::Due(size_t live_bytes, Instant now) const {
  if (state_ != State::kIdle || !trusted_ || now < not_before_) return false;
  if (log_bytes_ <= static_cast<uint64_t>(options_.min_bytes)) return false;
  // What is live is an estimate; one that is far off must not make this write
  // the same again and again.
  if (log_bytes_ < 2 * bytes_after_last_ || log_bytes_ < live_bytes) {
    return false;
  }
  const auto ratio = static_cast<double>(options_.dead_ratio);
  return static_cast<double>(log_bytes_ - live_bytes) >=
         ratio * static_cast<double>(live_bytes);
}

void SnapshotPlan::Start(Offset end, std::optional<Offset> open) {
  state_ = State::kWriting;
  trim_to_ = std::min(end, open.value_or(end));
  bytes_since_start_ = 0;
}

void SnapshotPlan::Trimmed() {
  state_ = State::kIdle;
  log_bytes_ = bytes_after_last_ = bytes_since_start_;
}

void SnapshotPlan::Abandon(Instant now) {
  state_ = State::kIdle;
  not_before_ = now + kPause;
}

}  // namespace tidemark::coordinator
