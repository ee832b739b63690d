#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"

namespace tidemark::replication {

// A change of the ISR that the leader wants the controller to commit.
struct IsrProposal {
  struct Member {
    NodeId id = kNoNode;
    BrokerEpoch epoch = -1;
  };
  Uuid topic_id;
  PartitionIndex partition = 0;
  LeaderEpoch leader_epoch = -1;
  PartitionEpoch partition_epoch = -1;
  std::vector<Member> isr;
};

// What a call to a partition has brought about outside of it. Carried out in
// this order by a switch without a default, so that the compiler names whoever
// forgets one.
enum class Effect : uint8_t {
  kPropose,        // Effects::proposal goes to the controller
  kUnfollow,       // this replica fetches from nobody (any more)
  kFollow,         // it fetches from its leader, in a new epoch: anew
  kAnnounce,       // whether it leads, and in which epoch, has changed
  kCount,          // its gauges may have changed
  kAskAnew,        // what a follower wants of its leader has changed
  kReport,         // a follower's disk has caught up: its leader wants to know
  kWakeReaders,    // whoever reads here must look again, and at once
  kShowAppended,   // the log end moved: followers may read on
  kShowCommitted,  // the high watermark moved: consumers may read on
  kKeepStart,      // the log's start is to be on disk: Partition::StartKept
  kLookAgain,      // readers have something to see with their next fetch
  kAbandon,        // waiting produces end with an error
  kComplete,       // produces and deletions may have what they wait for
  kTellDamage,     // a follower's log is damaged: the controllers must know
  kCut,            // the log is to be taken and cut: Partition::TakeCut
};
inline constexpr int kEffects = 16;

// A set of effects, ordered; some cancel each other.
class Effects {
 public:
  void Add(Effect effect) {
    if (effect == Effect::kFollow) Drop(Effect::kUnfollow);
    if (effect == Effect::kUnfollow) Drop(Effect::kFollow);
    bits_ |= Bit(effect);
  }
  void Propose(IsrProposal isr) {
    proposal = std::move(isr);
    Add(Effect::kPropose);
  }
  void DropProposal() {
    proposal.reset();
    Drop(Effect::kPropose);
  }
  bool Has(Effect effect) const { return (bits_ & Bit(effect)) != 0; }
  bool empty() const { return bits_ == 0; }

  std::optional<IsrProposal> proposal;

 private:
  static uint32_t Bit(Effect effect) {
    return uint32_t{1} << static_cast<int>(effect);
  }
  void Drop(Effect effect) { bits_ &= ~Bit(effect); }
  uint32_t bits_ = 0;
};

}  // namespace tidemark::replication
