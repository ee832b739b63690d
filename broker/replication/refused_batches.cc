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

RefusedBatches::Refusal* RefusedBatches::Find(const Key& key) {
  for (auto* generation : {&young_, &old_}) {
    if (auto found = generation->find(key); found != generation->end()) {
      return &found->second;
    }
  }
  return nullptr;
}

std::optional<ErrorCode> RefusedBatches::Excuse(
    const TopicPartition& partition, const record::BatchHeader& batch,
    LeaderEpoch leader_epoch, bool new_leader) {
  if (!log::IsTracked(batch)) return std::nullopt;
  Refusal* before = Find({partition, batch.producer_id});
  if (before != nullptr && before->epoch == batch.producer_epoch) {
    if (log::FollowsSequence(before->last_sequence, batch.base_sequence)) {
      before->last_sequence = batch.LastSequence();
      before->excused_in = leader_epoch;
      return before->error;
    }
    if (before->excused_in == leader_epoch) return std::nullopt;
  }
  if (!new_leader) return std::nullopt;
  Add(partition, batch, ErrorCode::kNotLeaderOrFollower);
  Find({partition, batch.producer_id})->excused_in = leader_epoch;
  return ErrorCode::kNotLeaderOrFollower;
}

}  // namespace tidemark::replication
