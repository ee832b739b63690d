#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/replication/cold_reads.h"
#include "broker/replication/partition.h"
#include "broker/replication/purgatory.h"
#include "common/base/ids.h"
#include "common/base/uuid.h"

namespace tidemark::replication {

struct FetchedPartition;  // fetch_session.h
class ReadList;
class Readers;

// One partition of a fetch: what is asked.
struct ReadItem {
  TopicPartition partition;
  Uuid topic_id;  // zero: asked by name
  LeaderEpoch current_leader_epoch = -1;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = -1;
  Offset flushed_offset = -1;
  Offset log_start_offset = -1;
  int64_t forgotten = -1;
  bool wants_committed = false;  // a follower: is told of what is committed
  int32_t max_bytes = 0;
};

// One partition of a fetcher, on the shard that owns the partition. It is
// ready when a visit may have something to say; while it is not, a watch at
// the partition makes it so when anything moves there.
struct ReadEntry {
  FetchedPartition* tag = nullptr;  // whose it is; not touched here
  ReadItem item;
  ReadList* list = nullptr;
  bool ready = true;
  // What it reads next was not in memory when it was last visited.
  bool cold = false;
  // It is being read; dropped when that is not wanted any more.
  std::shared_ptr<const void> warming;
  ColdTries tries;
  std::list<ReadEntry>::iterator self;
  // The watch.
  Readers* watched = nullptr;
  Offset limit = 0;      // how far the fetcher could read when it looked
  uint64_t bytes = 0;    // appended or committed, when it looked
  Offset committed = 0;  // the high watermark, when it looked
};

// The partitions a fetcher (a session, or one fetch without a session) reads
// on one shard, and which of them are ready. A fetch visits those and no
// others, so it costs what it carries. Ready ones are visited in the order
// they became so; one that gave data goes to the end, so that none starves
// when answers are full.
//
// On the shard. Entries do not outlive it, and leave their watches with it.
class ReadList {
 public:
  explicit ReadList(bool follower) : follower_(follower) {}
  ~ReadList();
  ReadList(const ReadList&) = delete;
  ReadList& operator=(const ReadList&) = delete;

  bool follower() const { return follower_; }
  // Whether the fetcher reads only what is stable; a session may change that.
  void ReadCommitted(bool only);
  bool read_committed() const { return read_committed_; }
  // How far it may read.
  Offset LimitAt(const Partition& partition) const;
  // Adds or changes what is asked; ready, because nobody has looked.
  void Ask(FetchedPartition* tag, ReadItem item);
  void Forget(FetchedPartition* tag);
  size_t size() const { return by_tag_.size(); }
  size_t ready() const { return ready_.size(); }

  // The next one to visit, which is still ready; nullptr when there is none.
  // After the visit call Keep or Rest.
  ReadEntry* First() { return ready_.empty() ? nullptr : &ready_.front(); }
  void Keep(ReadEntry& entry);  // ready, after all others
  void Rest(ReadEntry& entry);  // until its partition moves
  void MarkReady(ReadEntry& entry);

  // What an entry did not find in memory is being read now, until EndWarming or
  // until it is not wanted any more, which the result shows.
  std::weak_ptr<const void> BeginWarming(ReadEntry& entry);
  void EndWarming(ReadEntry& entry);
  size_t warming() const { return warming_; }  // how many are

  // Who is to be told that an entry has become ready; nobody when the fetcher
  // has no fetch out.
  void Park(std::weak_ptr<FetchWaiter> waiter) { waiter_ = std::move(waiter); }
  std::shared_ptr<FetchWaiter> waiter() const { return waiter_.lock(); }

 private:
  const bool follower_;
  bool read_committed_ = false;
  std::list<ReadEntry> ready_, resting_;
  std::unordered_map<FetchedPartition*, ReadEntry*> by_tag_;
  std::weak_ptr<FetchWaiter> waiter_;
  size_t warming_ = 0;
};

// The watches at one partition.
class Readers {
 public:
  Readers() = default;
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // From now on `entry` is told of what moves beyond `limit`.
  void Watch(ReadEntry& entry, Offset limit, const Partition& partition);
  void Unwatch(ReadEntry& entry);
  // The log end or the high watermark has moved.
  void Moved(const Partition& partition);
  // Something else an answer tells: with the next one.
  void MarkReady();
  // Whoever waits here must look again, and at once.
  void WakeAll();
  size_t size() const { return entries_.size(); }

 private:
  std::vector<ReadEntry*> entries_;
};

}  // namespace tidemark::replication
