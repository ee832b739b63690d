#pragma once

#include <functional>
#include <map>

#include "broker/replication/effect_runner.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// Deletions of records that an administrator asks for (KIP-107), in partitions
// of this shard that are led here. The start of the log moves at once, for good
// when the disk has it, and elsewhere with what followers fetch next.
//
// Everything runs on the shard.
class DeletePath {
 public:
  DeletePath(ShardState& state, EffectRunner& effects)
      : state_(state), effects_(effects) {}

  // ReplicaManager::DeleteRecords. `done` runs when no partition is on its
  // stack, possibly before the call returns.
  using Done = std::function<void(Result<Offset> low_watermark)>;
  void Delete(const TopicPartition& name, Offset before, Instant deadline,
              Done done);

 private:
  Result<Offset> LowWatermark(const TopicPartition& name) const;

  ShardState& state_;
  EffectRunner& effects_;
};

}  // namespace tidemark::replication
