#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/error_code.h"
#include "common/base/ids.h"
#include "common/metadata/image.h"

namespace tidemark::replication {

// What became of an AlterPartition, as far as the leader knows.
struct AlterPartitionResult {
  ErrorCode error = ErrorCode::kNone;
  NodeId leader = kNoNode;
  LeaderEpoch leader_epoch = -1;
  std::vector<NodeId> isr;
  PartitionEpoch partition_epoch = -1;
  bool recovering = false;
  bool others_eligible = false;
};

// What a leader does with an AlterPartitionResult (B-21).
enum class AlterOutcome : uint8_t {
  kApplied,   // the controller committed it
  kReverted,  // refused: the last committed ISR is in force again
  kAwaiting,  // the controller knows more than this leader: metadata will tell
  kResend,    // not decided: the same proposal once more
  kIgnored,   // about something this leader does not wait for (any more)
};

// The in-sync replicas as the leader of one epoch sees them: the ISR the
// controller has committed, and at most one change it has been asked for
// (B-17). Between asking and knowing, both are possible, so the leader acts on
// the larger of the two: the maximal ISR. A replica that is being added counts
// at once; one that is being removed counts until the removal is known.
//
// Pure value.
class Isr {
 public:
  Isr() = default;
  Isr(std::vector<NodeId> committed, LeaderEpoch leader_epoch,
      PartitionEpoch partition_epoch, bool others_eligible)
      : committed_(std::move(committed)),
        leader_epoch_(leader_epoch),
        partition_epoch_(partition_epoch),
        others_eligible_(others_eligible) {}

  const std::vector<NodeId>& committed() const { return committed_; }
  // committed() united with what is being added.
  const std::vector<NodeId>& maximal() const {
    return pending_ ? maximal_ : committed_;
  }
  // Replicas that are not in sync may be elected, since they have all that is
  // committed (KIP-966). As long as the controller says so nothing more may be,
  // whatever min.insync.replicas is here.
  bool others_eligible() const { return others_eligible_; }
  bool InMaximal(NodeId id) const;
  bool InCommitted(NodeId id) const;
  bool pending() const { return pending_.has_value(); }
  const std::optional<std::vector<NodeId>>& proposed() const {
    return pending_;
  }
  PartitionEpoch partition_epoch() const { return partition_epoch_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }

  // REQUIRES: !pending().
  void Propose(std::vector<NodeId> isr);

  // The row of the metadata, same leader epoch. A lower partition epoch is
  // old news; an equal one too (it came with the answer already), but it must
  // not clear what has been proposed since. A higher one always wins.
  void Committed(std::vector<NodeId> isr, PartitionEpoch partition_epoch,
                 bool others_eligible);

  // `asked_with`: the partition epoch the question was asked with. An answer
  // to a question that metadata has overtaken says nothing about the next one.
  AlterOutcome Answered(const AlterPartitionResult& result,
                        PartitionEpoch asked_with);

 private:
  std::vector<NodeId> committed_;
  LeaderEpoch leader_epoch_ = -1;
  PartitionEpoch partition_epoch_ = -1;
  bool others_eligible_ = false;
  std::optional<std::vector<NodeId>> pending_;
  std::vector<NodeId> maximal_;  // while pending_
};

// What the decision to add a replica to the ISR rests on.
struct ExpandCandidate {
  Offset flushed_offset = -1;    // -1: has not fetched in this epoch
  BrokerEpoch fetch_epoch = -1;  // of its last fetch; -1: not told
  const metadata::BrokerImage* broker = nullptr;  // nullptr: not registered
};

// B-19. Flushed offsets, because membership promises what a crash leaves.
bool MayJoinIsr(const ExpandCandidate& candidate, Offset high_watermark,
                Offset epoch_start);

// Whether the controller would accept it: unfenced, not shutting down, and the
// process that fetched is the one that is registered (KIP-841, KIP-903).
bool IsIsrEligible(const ExpandCandidate& candidate);

}  // namespace tidemark::replication
