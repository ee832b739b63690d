#include "broker/replication/produce_path.h"

#include <utility>

namespace tidemark::replication {
namespace {

constexpr char kBehindRefused[] = "the batch before it was refused";
// A batch that the leader before refused has been sent again by then.
constexpr Duration kNewLeader = std::chrono::seconds(5);

// Upon these a producer sends the same batch again.
bool IsSentAgain(ErrorCode error) {
  return error == ErrorCode::kNotLeaderOrFollower ||
         error == ErrorCode::kNotEnoughReplicas ||
         error == ErrorCode::kUnknownTopicOrPartition ||
         error == ErrorCode::kKafkaStorageError;
}

}  // namespace

// To a log that does not know the producer the batch behind a refused one would
// be the first, and the refused one out of order for ever.
std::optional<ErrorCode> ProducePath::WhyBefore(const ProduceCall& call,
                                                const Partition& partition) {
  if (!partition.IsLeader() || partition.away()) return std::nullopt;
  if (refused_.size() == 0 && !IsNew(partition)) return std::nullopt;
  const auto batch = record::ParseBatchHeader(call.item.batch.view());
  if (!batch || batch->base_sequence == 0 ||
      partition.log().KnowsProducer(batch->producer_id)) {
    return std::nullopt;
  }
  return refused_.Excuse(call.item.partition, *batch, partition.leader_epoch(),
                         IsNew(partition));
}

bool ProducePath::IsNew(const Partition& partition) const {
  return state_.executor.Now() - partition.leads_since() < kNewLeader;
}

std::optional<ErrorCode> ProducePath::Excuse(const TopicPartition& name,
                                             const record::BatchHeader& batch) {
  const Slot* slot = state_.Find(name);
  if (slot == nullptr) return std::nullopt;
  const Partition& partition = slot->partition;
  return refused_.Excuse(name, batch, partition.leader_epoch(),
                         IsNew(partition));
}

ProduceOutcome ProducePath::Refuse(const ProduceCall& call, Error error) {
  const TopicPartition& name = call.item.partition;
  const bool out_of_order = error.code == ErrorCode::kOutOfOrderSequenceNumber;
  if (out_of_order || IsSentAgain(error.code)) {
    const auto batch = record::ParseBatchHeader(call.item.batch.view());
    if (batch && !out_of_order) {
      refused_.Add(name, *batch, error.code);
    } else if (batch) {
      if (const auto before = Excuse(name, *batch)) {
        error = {*before, kBehindRefused};
      }
    }
  }
  return Refused(name, error.code, std::move(error.message));
}

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
    return done(Refuse(call, {state_.WhyAbsent(name, Uuid()), ""}), -1);
  }
  Partition& partition = slot->partition;
  if (call.epoch >= 0 && partition.leader_epoch() != call.epoch) {
    return done(
        Refuse(call, {ErrorCode::kNotLeaderOrFollower, "another leader epoch"}),
        -1);
  }
  if (const auto before = WhyBefore(call, partition)) {
    return done(Refused(name, *before, kBehindRefused), -1);
  }
  auto info = partition.AppendAsLeader(
      call.item.batch.view(), call.acks, call.origin, state_.executor.Now(),
      state_.executor.WallMs(),
      {call.item.verified, call.item.transaction_version});
  if (!info) {
    effects_.Settle(*slot);
    return done(Refuse(call, std::move(info).error()), -1);
  }
  ProduceOutcome outcome;
  if (info->verify != 0) {
    // Not one of the refused: those behind it may ask as well.
    outcome.error = ErrorCode::kNotEnoughReplicas;
    outcome.message = "its transaction is to be verified";
    outcome.verify = info->verify;
    return done(std::move(outcome), -1);
  }
  outcome.base_offset = info->first_offset;
  outcome.log_append_time_ms = info->log_append_time_ms;
  outcome.log_start_offset = partition.log().start_offset();
  if (info->first_offset < 0) {
    // Clients take it for what it is: it is there, and nobody knows where.
    outcome.error = ErrorCode::kDuplicateSequenceNumber;
    outcome.message = "the batch has been appended before";
  }
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
  if (!slot->produces.empty()) {
    effects_.Expire(name, &Slot::produces, id, call.deadline);
  }
  effects_.Settle(*slot);
}

Result<uint64_t> ProducePath::BeginVerification(const TopicPartition& name,
                                                ProducerId producer,
                                                ProducerEpoch epoch) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr) return Fail(state_.WhyAbsent(name, Uuid()));
  auto guard = slot->partition.BeginVerification(producer, epoch,
                                                 state_.executor.WallMs());
  effects_.Settle(*slot);
  return guard;
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
