#include "broker/replication/cleaning.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/replication/ask.h"

namespace tidemark::replication {
namespace {

// Looked at in one turn of a shard.
constexpr size_t kAtOnce = 64;

// nullptr: it is not here, or is not to be touched now.
Partition* Usable(ReplicaShard& shard, const TopicPartition& name) {
  Partition* partition = shard.Find(name);
  // One that is known to be damaged is being mended.
  if (partition == nullptr || partition->away() || partition->held_up() ||
      partition->failed() || partition->corrupt_from()) {
    return nullptr;
  }
  return partition;
}

// What of the log's calls are made where it lives.
class ReplicaLog final : public log::LogBeingCleaned {
 public:
  ReplicaLog(ReplicaShard& shard, const log::CleanSource::Item& item)
      : shard_(shard),
        name_(item.partition),
        topic_id_(item.topic_id),
        exchanges_(item.exchanges) {}

  Result<std::map<ProducerId, log::LastOfProducer>> LastOfProducers() override {
    return On<Result<std::map<ProducerId, log::LastOfProducer>>>(
        [](log::Log& log) { return log.LastOfProducers(); });
  }
  Result<std::vector<log::AbortedTransaction>> AbortedIn(
      Offset from, Offset below) override {
    return On<Result<std::vector<log::AbortedTransaction>>>(
        [from, below](log::Log& log) { return log.AbortedIn(from, below); });
  }
  Result<bool> Replace(const log::CleanedGroup& cleaned) override {
    return On<Result<bool>>(
        [&cleaned](log::Log& log) { return log.Replace(cleaned); });
  }
  Status Cleaned(uint64_t generation, Offset upto) override {
    return On<Status>([generation, upto](log::Log& log) {
      return log.Cleaned(generation, upto);
    });
  }

  void SyncFailed(const Error& error) override {
    (void)On<Status>([&error](log::Log& log) -> Status {
      log.SyncFailed(error);
      return {};
    });
  }

 private:
  template <class T, class F>
  T On(F call) {
    auto answer = Ask<T>(shard_.executor(), [this, call]() -> T {
      Partition* partition = Usable(shard_, name_);
      // One that has moved meanwhile has another log, in another directory.
      if (partition == nullptr || partition->topic_id() != topic_id_ ||
          partition->exchanges() != exchanges_) {
        return Fail(ErrorCode::kUnknownTopicOrPartition);
      }
      return call(partition->log());
    });
    if (!answer) return Fail(ErrorCode::kUnknownTopicOrPartition);
    return std::move(*answer);
  }

  ReplicaShard& shard_;
  const TopicPartition name_;
  const Uuid topic_id_;
  const uint64_t exchanges_;
};

std::vector<log::CleanSource::Item> FindIn(
    ReplicaShard& shard, const std::vector<TopicPartition>& names) {
  std::vector<log::CleanSource::Item> found;
  for (const TopicPartition& name : names) {
    Partition* partition = Usable(shard, name);
    if (partition == nullptr) continue;
    auto what = partition->log().FindCleanable(partition->high_watermark(),
                                               shard.executor().WallMs());
    if (!what || !*what) continue;
    (*what)->forgets_nothing = !partition->MayForget(shard.executor().Now());
    found.push_back({name, partition->topic_id(), partition->leader_epoch(),
                     std::move(**what), partition->exchanges()});
  }
  return found;
}

}  // namespace

std::vector<log::CleanSource::Item> ReplicaCleanSource::List() {
  std::vector<Item> all;
  for (size_t i = 0; i < replicas_.shard_count(); ++i) {
    ReplicaShard& shard = replicas_.shard(i);
    const auto names = Ask<std::vector<TopicPartition>>(
        shard.executor(), [&shard] { return shard.Partitions(); });
    for (size_t at = 0; names && at < names->size(); at += kAtOnce) {
      const auto first = names->begin() + static_cast<ptrdiff_t>(at);
      const auto count =
          static_cast<ptrdiff_t>(std::min(kAtOnce, names->size() - at));
      auto found = Ask<std::vector<Item>>(
          shard.executor(), [&shard, some = std::vector(first, first + count)] {
            return FindIn(shard, some);
          });
      if (!found) break;
      std::move(found->begin(), found->end(), std::back_inserter(all));
    }
  }
  return all;
}

std::unique_ptr<log::LogBeingCleaned> ReplicaCleanSource::Take(
    const Item& item) {
  return std::make_unique<ReplicaLog>(
      replicas_.shard(replicas_.ShardIndexOf(item.partition)), item);
}

int64_t ReplicaCleanSource::Written() const {
  const Stats stats = replicas_.stats();
  return stats.bytes_in + stats.replication_bytes_in;
}

void ReplicaCleanSource::Damaged(const Item& item, Offset from,
                                 const Error& error) {
  ReplicaShard& shard = replicas_.shard(replicas_.ShardIndexOf(item.partition));
  shard.executor().Post([&shard, partition = item.partition,
                         epoch = item.leader_epoch, exchanges = item.exchanges,
                         from, error] {
    shard.FoundCorrupt(partition, {epoch, exchanges}, from, error);
  });
}

}  // namespace tidemark::replication
