#pragma once

#include "broker/log/scrubber.h"
#include "broker/replication/replica_manager_impl.h"

namespace tidemark::replication {

// The replicas of a broker as a scrubber sees them. Asks their shards, and
// answers on the scrubber's executor; both outlive it.
class ReplicaScrubSource final : public log::ScrubSource {
 public:
  ReplicaScrubSource(ReplicaManagerImpl& replicas, Executor& scrubber)
      : replicas_(replicas), scrubber_(scrubber) {}

  void List(std::function<void(std::vector<TopicPartition>)> done) override;
  void Find(const TopicPartition& partition, Offset from,
            std::function<void(std::optional<Item>)> done) override;
  void Found(const Item& item, const log::Damage& damage) override;

 private:
  ReplicaManagerImpl& replicas_;
  Executor& scrubber_;
};

}  // namespace tidemark::replication
