#include "broker/replication/refused_batches.h"

#include "broker/log/producer_state.h"

namespace tidemark::replication {

void RefusedBatches::Add(const TopicPartition& partition,
                         const record::BatchHeader& batch, ErrorCode error) {
  if (!log::IsTracked(batch)) return;
  if (young_.size() >= kGeneration) old_ = std::exchange(young_, {});
  young_[{partition, batch.producer_id}] = {batch.producer_epoch,
                                            batch.LastSequence(), error};
}

std::optional<ErrorCode> RefusedBatches::Excuse(
    const TopicPartition& partition, const record::BatchHeader& batch) {
  if (!log::IsTracked(batch)) return std::nullopt;
  const Key key{partition, batch.producer_id};
  auto found = young_.find(key);
  if (found == young_.end()) {
    found = old_.find(key);
    if (found == old_.end()) return std::nullopt;
  }
  Refusal& before = found->second;
  if (before.epoch != batch.producer_epoch ||
      !log::FollowsSequence(before.last_sequence, batch.base_sequence)) {
    return std::nullopt;
  }
  before.last_sequence = batch.LastSequence();
  return before.error;
}

}  // namespace tidemark::replication
