#pragma once

#include <memory>
#include <vector>

#include "broker/replication/deadline_queue.h"
#include "broker/replication/follower_fetchers.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// Carries out what calls to partitions have brought about: everything a
// partition does to the world goes through here.
class EffectRunner {
 public:
  EffectRunner(ShardState& state, FollowerFetchers& fetchers)
      : state_(state), fetchers_(fetchers), deadlines_(state.executor) {}

  // After every call that may have changed the partition. Completed produces
  // are told last, when nothing of the partition is on the stack.
  void Settle(Slot& slot);
  // The partition leaves this shard.
  void Dismiss(Slot& slot);

  // Who waits `among` those ends with kRequestTimedOut at `deadline`.
  void Expire(const TopicPartition& name, OffsetWaiters Slot::*among,
              uint64_t waiter, Instant deadline);
  void Complete(std::vector<OffsetWaiters::Completed> completed);

 private:
  void Run(Effect effect, Effects& effects, Slot& slot,
           std::vector<OffsetWaiters::Completed>* completed);
  void Cut(Slot& slot);
  void CutDone(const TopicPartition& name, const Uuid& topic_id,
               std::unique_ptr<log::Log> log, const Status& cut);
  void KeepStart(Slot& slot);
  // -1: it is not.
  void StartKept(const TopicPartition& name, const Uuid& topic_id,
                 Offset start);
  void SyncSoon(Slot& slot);
  void StartSyncs();
  void StartSync(Slot& slot);
  void SyncsDone();
  void SyncDone(const SyncedWork& done);
  void Announce(Slot& slot, bool removed);
  void Count(Slot& slot, bool removed);

  ShardState& state_;
  FollowerFetchers& fetchers_;
  DeadlineQueue deadlines_;
  std::vector<TopicPartition> to_sync_;
};

}  // namespace tidemark::replication
