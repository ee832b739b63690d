#include "broker/replication/delete_path.h"

#include <utility>

namespace tidemark::replication {

void DeletePath::Delete(const TopicPartition& name, Offset before,
                        Instant deadline, Done done) {
  constexpr Offset kToHighWatermark = -1;
  Slot* slot = state_.Find(name);
  if (slot == nullptr) return done(Fail(state_.WhyAbsent(name, Uuid())));
  Partition& partition = slot->partition;
  if (partition.away()) return done(Fail(ErrorCode::kNotLeaderOrFollower));
  if (before == kToHighWatermark) before = partition.high_watermark();
  const Status deleted =
      before < 0 ? Fail(ErrorCode::kOffsetOutOfRange,
                        "there is no offset " + std::to_string(before))
                 : partition.DeleteTo(before);
  if (!deleted) {
    effects_.Settle(*slot);
    return done(Fail(deleted.error()));
  }
  // Followers are told at once, not when their fetches have waited.
  slot->readers.WakeAll();
  const uint64_t id = slot->deletions.Add(
      before, true, [this, name, done = std::move(done)](ErrorCode error) {
        if (error != ErrorCode::kNone) return done(Fail(error));
        done(LowWatermark(name));
      });
  effects_.Expire(name, &Slot::deletions, id, deadline);
  const Offset low = partition.LowWatermark();
  effects_.Complete(slot->deletions.TakeReached(low, low, ErrorCode::kNone));
  effects_.Settle(*slot);
}

Result<Offset> DeletePath::LowWatermark(const TopicPartition& name) const {
  const Slot* slot = state_.Find(name);
  if (slot == nullptr || !slot->partition.IsLeader()) {
    return Fail(ErrorCode::kNotLeaderOrFollower);
  }
  return slot->partition.LowWatermark();
}

}  // namespace tidemark::replication
