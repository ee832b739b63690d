#include "broker/replication/isr.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

namespace {

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

bool Isr::InMaximal(NodeId id) const { return Contains(maximal(), id); }
bool Isr::InCommitted(NodeId id) const { return Contains(committed_, id); }

void Isr::Propose(std::vector<NodeId> isr) {
  maximal_ = committed_;
  for (const NodeId id : isr) {
    if (!Contains(maximal_, id)) maximal_.push_back(id);
  }
  pending_ = std::move(isr);
}

void Isr::Committed(std::vector<NodeId> isr, PartitionEpoch partition_epoch,
                    bool others_eligible) {
  if (partition_epoch <= partition_epoch_) return;
  committed_ = std::move(isr);
  others_eligible_ = others_eligible;
  partition_epoch_ = partition_epoch;
  pending_.reset();
}

AlterOutcome Isr::Answered(const AlterPartitionResult& result,
                           PartitionEpoch asked_with) {
  if (!pending_ || asked_with != partition_epoch_) {
    return AlterOutcome::kIgnored;
  }
  switch (result.error) {
    case ErrorCode::kNone:
      if (result.leader_epoch != leader_epoch_ ||
          result.partition_epoch < partition_epoch_) {
        return AlterOutcome::kIgnored;
      }
      committed_ = result.isr;
      others_eligible_ = result.others_eligible;
      partition_epoch_ = result.partition_epoch;
      pending_.reset();
      return AlterOutcome::kApplied;
    case ErrorCode::kIneligibleReplica:
    case ErrorCode::kOperationNotAttempted:
      pending_.reset();
      return AlterOutcome::kReverted;
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kInvalidUpdateVersion:
    case ErrorCode::kInvalidRequest:
    case ErrorCode::kNewLeaderElected:
      return AlterOutcome::kAwaiting;
    default:
      return AlterOutcome::kResend;
  }
}

bool IsIsrEligible(const ExpandCandidate& candidate) {
  const metadata::BrokerImage* broker = candidate.broker;
  if (broker == nullptr || broker->fenced || broker->in_controlled_shutdown) {
    return false;
  }
  return candidate.fetch_epoch < 0 || candidate.fetch_epoch == broker->epoch;
}

bool MayJoinIsr(const ExpandCandidate& candidate, Offset high_watermark,
                Offset epoch_start) {
  return candidate.flushed_offset >= 0 &&
         candidate.flushed_offset >= high_watermark &&
         candidate.flushed_offset >= epoch_start && IsIsrEligible(candidate);
}

}  // namespace tidemark::replication
