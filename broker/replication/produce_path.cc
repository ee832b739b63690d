#include "broker/replication/produce_path.h"

#include <utility>

namespace tidemark::replication {

ProduceOutcome ProducePath::Refused(const TopicPartition& name, ErrorCode error,
                                    std::string message) const {
  Stats::Add(state_.services.stats->failed_produces, 1);
  ProduceOutcome outcome;
  outcome.error = error;
  outcome.message = std::move(message);
  if (error != ErrorCode::kNotLeaderOrFollower) return outcome;
  if (const auto* row =
          state_.env.image->FindPartition(name.topic, name.partition);
      row != nullptr && row->leader != state_.options.self) {
    outcome.leader = row->leader;
    outcome.leader_epoch = row->leader_epoch;
  }
  return outcome;
}

void ProducePath::Produce(ProduceCall call, Done done) {
  const TopicPartition& name = call.item.partition;
  Slot* slot = state_.Find(name);
  if (slot == nullptr) {
    return done(Refused(name, state_.WhyAbsent(name, Uuid()), ""), -1);
  }
  Partition& partition = slot->partition;
  if (call.epoch >= 0 && partition.leader_epoch() != call.epoch) {
    return done(
        Refused(name, ErrorCode::kNotLeaderOrFollower, "another leader epoch"),
        -1);
  }
  auto info =
      partition.AppendAsLeader(call.item.batch.view(), call.acks, call.origin,
                               state_.executor.Now(), state_.executor.WallMs());
  if (!info) {
    effects_.Settle(*slot);
    return done(
        Refused(name, info.error().code, std::move(info.error().message)), -1);
  }
  ProduceOutcome outcome;
  outcome.base_offset = info->first_offset;
  outcome.log_append_time_ms = info->log_append_time_ms;
  outcome.log_start_offset = partition.log().start_offset();
  const Offset last = info->last_offset;
  if (call.acks == 0) {
    effects_.Settle(*slot);
    return done(std::move(outcome), last);
  }
  const uint64_t id = slot->produces.Add(
      last + 1, call.acks == -1,
      [this, outcome = std::move(outcome), last, done = std::move(done),
       name](ErrorCode error) mutable {
        if (error != ErrorCode::kNone) {
          return done(Refused(name, error, ""), -1);
        }
        done(std::move(outcome), last);
      });
  // A duplicate, or a log that is never synced, may be done already.
  effects_.Complete(slot->produces.TakeReached(partition.log().flushed_offset(),
                                               partition.high_watermark(),
                                               partition.CheckAfterCommit()));
  if (!slot->produces.empty()) effects_.Expire(name, id, call.deadline);
  effects_.Settle(*slot);
}

Status ProducePath::Trim(const TopicPartition& name, LeaderEpoch epoch,
                         Offset before) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr || slot->partition.leader_epoch() != epoch) {
    return Fail(ErrorCode::kNotLeaderOrFollower);
  }
  const Status trimmed = slot->partition.TrimTo(before);
  effects_.Settle(*slot);
  return trimmed;
}

}  // namespace tidemark::replication
