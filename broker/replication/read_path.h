#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/replication/cold_reads.h"
#include "broker/replication/effect_runner.h"
#include "broker/replication/read_list.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

struct Reader {
  NodeId replica = kNoNode;  // none: a consumer
  BrokerEpoch broker_epoch = -1;
  bool read_committed = false;
  bool from_any = false;  // ConsumerFetch
  // Where a consumer would rather read, if a nearer replica is to be named to
  // it; "": none is.
  std::string rack = {};
  std::string listener = {};
  bool IsFollower() const { return replica >= 0; }
};

// A fetch as one shard sees it.
struct ReadCall {
  Reader reader;
  // Of the fetcher's ReadList, which is kept from one call to the next until
  // Drop. 0: this call is all there is.
  uint64_t list = 0;
  struct Asked {
    FetchedPartition* tag = nullptr;
    ReadItem item;
  };
  std::vector<Asked> asked;  // new or changed
  std::vector<FetchedPartition*> forgotten;
  size_t budget = 0;  // bytes of the answer
  // Told what is found, and what comes after; nullptr: nobody will wait.
  std::shared_ptr<FetchWaiter> waiter;
};
struct ReadAnswer {
  FetchedPartition* tag = nullptr;
  FetchAnswer answer;
};

// How far a copy of a log has come: its end, the epoch of the record in front
// of that, and log::Forgotten::id.
struct CopyEnd {
  Offset end = 0;
  LeaderEpoch epoch = -1;
  int64_t forgotten = 0;
};
struct CopyChunk {
  SharedBytes batches;
  log::Forgotten forgotten;  // by this log
  Offset start_offset = 0;
  Offset high_watermark = 0;
  bool same = true;  // what is copied is what this log has
  bool all = false;  // there is no more to be copied now
};

// What others read from the partitions of this shard. The shard does not wait
// for a disk: what is not in memory is read by ColdReads, and then looked for
// again.
class ReadPath {
 public:
  ReadPath(ShardState& state, EffectRunner& effects)
      : state_(state),
        effects_(effects),
        cold_(state.executor, state.services.readers, *state.services.stats) {}

  // Visits the partitions of the list that are ready, which includes all that
  // are asked. What is not in the answer has not changed since it was last.
  // One whose answer is `cold` stays ready, and the waiter is woken when it is
  // worth another look. A budget of 0 reads nothing.
  std::vector<ReadAnswer> Read(ReadCall call);
  void Drop(uint64_t list) { lists_.erase(list); }
  size_t lists() const { return lists_.size(); }

  // `done` of these two may run before the call returns; never, when nobody
  // holds `asker` any more.
  // For the coordinators: the whole log of a led partition, committed or not.
  void ReadLog(const TopicPartition& partition, LeaderEpoch epoch, Offset from,
               size_t max_bytes, std::function<void(Result<LogChunk>)> done);
  // For ReplicaMover: whole batches of any replica from the copy's end on,
  // committed or not.
  void ReadCopy(const TopicPartition& partition, const Uuid& topic_id,
                const CopyEnd& copy, size_t max_bytes,
                std::function<void(Result<CopyChunk>)> done);
  void FindOffset(const TopicPartition& partition, int64_t timestamp,
                  LeaderEpoch current_leader_epoch, bool read_committed,
                  std::weak_ptr<const void> asker,
                  std::function<void(Result<log::TimestampedOffset>)> done);
  Result<std::vector<ActiveProducer>> DescribeProducers(
      const TopicPartition& partition);
  Result<log::EpochEnd> EndOffsetFor(const TopicPartition& partition,
                                     LeaderEpoch epoch,
                                     LeaderEpoch current_leader_epoch);

 private:
  std::vector<ReadAnswer> Visit(ReadList& list, const ReadCall& call);
  FetchAnswer Visit(ReadEntry& entry, const Reader& reader, size_t max_bytes,
                    bool at_least_one, bool watch);
  FetchAnswer Fetch(ReadEntry& entry, Partition& partition,
                    const Reader& reader, size_t max_bytes, bool at_least_one);
  NodeId NearerReplica(const Reader& reader, const ReadItem& item,
                       const Partition& partition) const;
  // False: there is nothing left but to wait.
  bool Missed(ReadEntry& entry, io::NoWait::Missed missed);
  // Runs `attempt` until it does not need what is not in memory.
  template <class T>
  void Retry(std::function<Result<T>()> attempt,
             std::function<void(Result<T>)> done,
             std::weak_ptr<const void> asker, ColdTries tries = {});
  Result<CopyChunk> TryReadCopy(const TopicPartition& partition,
                                const Uuid& topic_id, const CopyEnd& copy,
                                size_t max_bytes);
  Result<LogChunk> TryReadLog(const TopicPartition& partition,
                              LeaderEpoch epoch, Offset from, size_t max_bytes);

  ShardState& state_;
  EffectRunner& effects_;
  ColdReads cold_;
  std::unordered_map<uint64_t, std::unique_ptr<ReadList>> lists_;
};

}  // namespace tidemark::replication
