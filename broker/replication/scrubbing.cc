#include "broker/replication/scrubbing.h"

#include <utility>

namespace tidemark::replication {
namespace {

std::optional<log::ScrubSource::Item> FindIn(ReplicaShard& shard,
                                             const TopicPartition& name,
                                             Offset from) {
  const Partition* partition = shard.Find(name);
  // One that is known to be damaged is being mended.
  if (partition == nullptr || partition->away() || partition->failed() ||
      partition->corrupt_from()) {
    return std::nullopt;
  }
  auto segment = partition->log().FindSealed(from);
  if (!segment) return std::nullopt;
  return log::ScrubSource::Item{name, partition->leader_epoch(),
                                std::move(*segment), partition->exchanges()};
}

}  // namespace

void ReplicaScrubSource::List(
    std::function<void(std::vector<TopicPartition>)> done) {
  struct Listing {
    std::vector<TopicPartition> all;
    size_t left;
    std::function<void(std::vector<TopicPartition>)> done;
  };
  auto listing = std::make_shared<Listing>(
      Listing{{}, replicas_.shard_count(), std::move(done)});
  for (size_t i = 0; i < replicas_.shard_count(); ++i) {
    ReplicaShard& shard = replicas_.shard(i);
    shard.executor().Post([this, &shard, listing] {
      scrubber_.Post([listing, names = shard.Partitions()] {
        listing->all.insert(listing->all.end(), names.begin(), names.end());
        if (--listing->left == 0) listing->done(std::move(listing->all));
      });
    });
  }
}

void ReplicaScrubSource::Find(const TopicPartition& partition, Offset from,
                              std::function<void(std::optional<Item>)> done) {
  ReplicaShard& shard = replicas_.shard(replicas_.ShardIndexOf(partition));
  shard.executor().Post(
      [this, &shard, partition, from, done = std::move(done)] {
        scrubber_.Post(
            [done, item = FindIn(shard, partition, from)] { done(item); });
      });
}

void ReplicaScrubSource::Found(const Item& item, const log::Damage& damage) {
  ReplicaShard& shard = replicas_.shard(replicas_.ShardIndexOf(item.partition));
  shard.executor().Post([&shard, item, damage] {
    shard.FoundCorrupt(item.partition, {item.leader_epoch, item.exchanges},
                       damage.from, damage.error);
  });
}

}  // namespace tidemark::replication
