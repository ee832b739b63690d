#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/replication/stats.h"
#include "common/base/executor.h"
#include "common/io/no_wait.h"

namespace tidemark::replication {

// Of a read that is tried again and again, since it would wait. At last the
// shard waits itself: better that than a reader who never gets there.
class ColdTries {
 public:
  // So often in a row. A look into indexes that nobody has used for long takes
  // a dozen; more is what was read being thrown out of memory again before it
  // was seen.
  static constexpr int kMost = 32;

  bool Left() const { return misses_ < kMost; }
  void Missed(const io::NoWait::Missed& missed) {
    const std::string path = missed.file == nullptr ? missed.path : "";
    // A file system that looks again every time (FUSE, network).
    const bool in_vain = !path.empty() && path == path_;
    misses_ = in_vain ? kMost : misses_ + 1;
    path_ = path;
  }
  void GiveUp() { misses_ = kMost; }

 private:
  int misses_ = 0;
  std::string path_;  // that was opened last
};

// Has what a shard did not find in memory read by threads that may wait for a
// disk. First come, first served; there are as many at once as there are
// threads. Used by one shard, on its thread.
class ColdReads {
 public:
  // All outlive it. No `readers`: shards wait themselves.
  ColdReads(Executor& shard, std::vector<Executor*> readers, Stats& stats)
      : shard_(shard), readers_(std::move(readers)), stats_(stats) {}

  bool available() const { return !readers_.empty(); }

  // Runs `done` on the shard when it is read, or cannot be; never once nobody
  // holds `wanted` any more. Where many wait, what nobody wants is not read.
  void Read(io::NoWait::Missed missed, std::weak_ptr<const void> wanted,
            std::function<void(const Status&)> done);

 private:
  Executor& shard_;
  const std::vector<Executor*> readers_;
  Stats& stats_;
  size_t next_ = 0;
  // Outlives this: the threads count down.
  const std::shared_ptr<std::atomic<size_t>> waiting_ =
      std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace tidemark::replication
