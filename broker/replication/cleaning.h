#pragma once

#include "broker/log/cleaner.h"
#include "broker/replication/replica_manager_impl.h"

namespace tidemark::replication {

// The replicas of a broker as its cleaner sees them: asks their shards, and
// waits for the answers. The shards run until the cleaner has stopped.
class ReplicaCleanSource final : public log::CleanSource {
 public:
  explicit ReplicaCleanSource(ReplicaManagerImpl& replicas)
      : replicas_(replicas) {}

  std::vector<Item> List() override;
  std::unique_ptr<log::LogBeingCleaned> Take(const Item& item) override;
  int64_t Written() const override;
  void Damaged(const Item& item, Offset from, const Error& error) override;

 private:
  ReplicaManagerImpl& replicas_;
};

}  // namespace tidemark::replication
