#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/log.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/io/file.h"
#include "common/record/batch_checker.h"

namespace tidemark::log {

// Something in a segment that is not as it was written. Whatever is in front
// of `from` is right.
struct Damage {
  Offset from = 0;
  Error error;
};

// Reads a sealed segment from front to back, piece by piece, and checks what
// can be checked: the framing, checksums, offsets without gaps that end where
// the next segment begins, epochs that do not go back.
class SegmentScrub {
 public:
  explicit SegmentScrub(SealedSegment segment);

  // Reads up to `count` bytes. Errors: as io::File; then it has read nothing.
  Result<size_t> Read(io::FileSystem& fs, size_t count);
  // Everything is read, or damage is found.
  bool done() const { return done_; }
  const std::optional<Damage>& damage() const { return damage_; }

 private:
  Status Look(const record::BatchHeader& header);
  // Behind the last batch that is right.
  Offset Right() const;
  void Found(Error error);

  const SealedSegment segment_;
  std::shared_ptr<io::File> file_;
  record::BatchChecker checker_;
  uint64_t at_ = 0;
  Offset expected_;        // the next batch's base
  Offset last_base_;       // of the last batch that has begun
  bool distrust_ = false;  // it may be that one which is wrong
  LeaderEpoch epoch_ = -1;
  bool done_ = false;
  std::optional<Damage> damage_;
};

// What a broker has to scrub. Called by the scrubber on its executor; `done`
// posts back to it.
class ScrubSource {
 public:
  // A sealed segment of a partition, as it was in that epoch of its leader.
  struct Item {
    TopicPartition partition;
    LeaderEpoch leader_epoch = -1;
    SealedSegment segment;
    uint64_t exchanges = 0;  // as CleanSource::Item

    bool operator==(const Item&) const = default;
  };

  virtual ~ScrubSource() = default;

  virtual void List(std::function<void(std::vector<TopicPartition>)> done) = 0;
  // Log::FindSealed; nullopt also when the partition is gone or has failed.
  virtual void Find(const TopicPartition& partition, Offset from,
                    std::function<void(std::optional<Item>)> done) = 0;
  // What whoever reads there would find. Of no consequence in another epoch.
  virtual void Found(const Item& item, const Damage& damage) = 0;
};

// Reads all sealed segments once a period, at a bounded rate, and tells of
// damage before anybody needs what is damaged. Keeps no list of segments and
// no state on disk: a period begins with the names of the partitions, and a
// process that starts begins a period somewhere among them. What it reads from
// the disk does not stay in the page cache.
//
// Damage is told of when a second reading has found it too and the segment has
// not changed in between: a follower may cut and write it at the same time.
//
// On one executor, which may block; nothing else should run there. Destroyed
// after the executor has stopped. What it is given outlives it.
class Scrubber {
 public:
  struct Options {
    int64_t bytes_per_second = 0;  // log.scrub.bytes.per.second; > 0
    Duration interval{};           // log.scrub.interval.ms
    uint64_t seed = 0;             // of where the first period begins
  };
  struct Counters {
    std::atomic<int64_t> bytes{0};     // read
    std::atomic<int64_t> segments{0};  // read to their end
    std::atomic<int64_t> periods{0};   // ended
    std::atomic<int64_t> damaged{0};   // told of
  };

  Scrubber(Executor& executor, io::FileSystem& fs, Options options,
           ScrubSource& source);

  // Begins the first period, soon. Once, any thread.
  void Start();
  const Counters& counters() const { return counters_; }

 private:
  void BeginPeriod();
  void NextPartition();
  void NextSegment();
  void Begin(ScrubSource::Item item);
  void Step();
  void Finish();
  void Confirm();
  void Pause(std::function<void()> then);

  Executor& executor_;
  io::FileSystem& fs_;
  const Options options_;
  ScrubSource& source_;
  Counters counters_;

  std::vector<TopicPartition> left_;  // of this period, the next one last
  uint64_t periods_ = 0;
  Instant period_began_{};
  Instant next_read_{};  // not before, for the rate
  TopicPartition partition_;
  Offset next_ = 0;  // of the partition
  std::optional<ScrubSource::Item> item_;
  std::optional<SegmentScrub> scrub_;
  bool again_ = false;  // it is the second reading
};

}  // namespace tidemark::log
