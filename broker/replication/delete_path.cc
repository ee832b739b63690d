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
  const Status trimmed =
      before < 0 ? Fail(ErrorCode::kOffsetOutOfRange,
                        "there is no offset " + std::to_string(before))
                 : partition.DeleteTo(before);
  // Followers are told at once, not when their fetches have waited.
  if (trimmed) slot->readers.WakeAll();
  effects_.Settle(*slot);
  if (!trimmed) return done(Fail(trimmed.error()));
  state_.services.logs->KeepStart(
      name, [this, alive = state_.alive, executor = &state_.executor, name,
             epoch = partition.leader_epoch(), before, deadline,
             done = std::move(done)](const Status& kept) {
        executor->Post(
            [this, alive, name, epoch, before, deadline, kept, done] {
              if (*alive) Kept(name, epoch, before, deadline, kept, done);
            });
      });
}

void DeletePath::Kept(const TopicPartition& name, LeaderEpoch epoch,
                      Offset before, Instant deadline, const Status& kept,
                      Done done) {
  if (!kept) return done(Fail(kept.error()));
  Slot* slot = state_.Find(name);
  if (slot == nullptr || !slot->partition.IsLeader() ||
      slot->partition.leader_epoch() != epoch) {
    return done(Fail(ErrorCode::kNotLeaderOrFollower));
  }
  const uint64_t id = slot->deletions.Add(
      before, true, [this, name, done = std::move(done)](ErrorCode error) {
        if (error != ErrorCode::kNone) return done(Fail(error));
        done(LowWatermark(name));
      });
  effects_.Expire(name, &Slot::deletions, id, deadline);
  const Offset low = slot->partition.LowWatermark();
  effects_.Complete(slot->deletions.TakeReached(low, low, ErrorCode::kNone));
}

Result<Offset> DeletePath::LowWatermark(const TopicPartition& name) const {
  const Slot* slot = state_.Find(name);
  if (slot == nullptr || !slot->partition.IsLeader()) {
    return Fail(ErrorCode::kNotLeaderOrFollower);
  }
  return slot->partition.LowWatermark();
}

}  // namespace tidemark::replication
