#pragma once

#include <functional>

#include "broker/replication/effect_runner.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// Keeps the partitions of a shard as the newest image says: makes, removes and
// re-roles them.
class PartitionTable {
 public:
  PartitionTable(ShardState& state, EffectRunner& effects,
                 FollowerFetchers& fetchers)
      : state_(state), effects_(effects), fetchers_(fetchers) {}

  using Mine = std::function<bool(const TopicPartition&)>;
  void ApplyImage(const metadata::ImagePtr& image, const metadata::Delta& delta,
                  const Mine& mine);
  // Logs that did not open, tried again.
  void RetryUnopened();

 private:
  void ApplyRow(const TopicPartition& name, const metadata::TopicImage& topic,
                const metadata::PartitionImage& row);
  Slot* Open(const TopicPartition& name, const metadata::TopicImage& topic,
             const metadata::PartitionImage& row);
  void Remove(const TopicPartition& name);
  void NotUnopened(const TopicPartition& name);

  ShardState& state_;
  EffectRunner& effects_;
  FollowerFetchers& fetchers_;
};

}  // namespace tidemark::replication
