#pragma once

#include "broker/replication/effect_runner.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// What has to be done for the partitions of a shard from time to time.
class Housekeeping {
 public:
  Housekeeping(ShardState& state, EffectRunner& effects)
      : state_(state), effects_(effects) {}

  void Tick();            // ISR shrink
  void ApplyRetention();  // by time and size
  // A directory has failed: whoever waits at one of its logs is told.
  void NoticeFailures();
  // The high watermarks that have changed since they were last collected.
  log::OffsetMap ChangedHighWatermarks();

 private:
  ShardState& state_;
  EffectRunner& effects_;
};

}  // namespace tidemark::replication
