#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "broker/log/log_cleaning.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/io/file.h"

namespace tidemark::log {

// The logs of a broker as its cleaner sees them. Called on the cleaner's
// threads; may wait.
class CleanSource {
 public:
  struct Item {
    TopicPartition partition;
    Uuid topic_id;
    LeaderEpoch leader_epoch = -1;
    Cleanable what;
    // Of the replica: how often its log was exchanged for another.
    uint64_t exchanges = 0;
  };

  virtual ~CleanSource() = default;

  // Log::FindCleanable of every log of which anything may be cleaned.
  virtual std::vector<Item> List() = 0;
  virtual std::unique_ptr<LogBeingCleaned> Take(const Item& item) = 0;
  // Bytes that clients and leaders have written to logs so far.
  virtual int64_t Written() const = 0;
  // What is on disk at or behind `from` is not what was written.
  virtual void Damaged(const Item& item, Offset from, const Error& error) = 0;
};

// Cleans the logs of a broker, the dirtiest first, on threads of its own (kafka
// LogCleaner), which have less of the processors than what serves clients, and
// rest most of the time while anybody writes, for his syncs wait behind what
// they write; not where a log is overdue (max.compaction.lag.ms). A log that
// cannot be cleaned is marked, tried again after pauses that grow, and holds up
// no other.
class Cleaner {
 public:
  struct Options {
    int threads = 1;                  // log.cleaner.threads
    size_t dedupe_bytes = 128 << 20;  // log.cleaner.dedupe.buffer.size
    double load_factor = 0.9;         // log.cleaner.io.buffer.load.factor
    double bytes_per_second = 1e308;  // log.cleaner.io.max.bytes.per.second
    Duration backoff = std::chrono::seconds(15);  // log.cleaner.backoff.ms
    double share = 0.1;                           // tidemark.log.cleaner.share

    bool operator==(const Options&) const = default;
  };
  struct Counters {
    std::atomic<int64_t> read_bytes{0};
    std::atomic<int64_t> written_bytes{0};
    std::atomic<int64_t> dropped_records{0};
    std::atomic<int64_t> passes{0};  // that came to their end
    std::atomic<int64_t> failed_passes{0};
    std::atomic<int64_t> busy_nanos{0};  // in passes, of processors
    std::atomic<int64_t> rest_nanos{0};  // for those who write
    // As of the last look.
    std::atomic<int64_t> uncleanable{0};
    std::atomic<int64_t> dirtiest_percent{0};
    std::atomic<int64_t> last_pass_wall_ms{0};  // when it ended; 0: never
  };

  Cleaner(io::FileSystem& fs, const Clock& clock, Options options,
          CleanSource& source);
  ~Cleaner();
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  void Start();
  // Threads come, or go when they have cleaned what they are cleaning; the rest
  // counts from the next log on. Not beside Start or Stop.
  void Change(const Options& options);
  // Gives up what is being cleaned. Once Start was called nothing is called
  // any more when this returns.
  void Stop();
  const Counters& counters() const { return counters_; }

  // Cleans one log, on the caller's thread; false: none is due.
  bool CleanOne();

 private:
  using Key = std::pair<TopicPartition, Uuid>;
  struct Failure {
    int times = 0;
    bool shortage = false;  // it says nothing about the log
    Instant not_before{};
  };
  class Pace;
  class Turns;
  struct Thread {
    std::thread thread;
    bool over = false;
  };

  // As many as there should be. Under the lock.
  void StartThreads();
  void Run(size_t index);
  Options CurrentOptions();
  std::optional<CleanSource::Item> Next();
  void Look();
  void Clean(const CleanSource::Item& item);
  void Failed(const CleanSource::Item& item, const Error& error,
              const LogCleaning::Counts& counts);
  bool IsAsItWas(const CleanSource::Item& item);
  void Postpone(const CleanSource::Item& item);
  void Count(const LogCleaning::Counts& counts);
  void CountUncleanable();

  io::FileSystem& fs_;
  const Clock& clock_;
  CleanSource& source_;
  const std::unique_ptr<Pace> pace_;
  Counters counters_;

  std::mutex looking_;  // one thread looks for all; taken first
  std::mutex mutex_;    // of what follows
  Options options_;
  uint64_t changes_ = 0;  // of them
  std::deque<CleanSource::Item> due_;
  std::map<Key, Failure> failures_;
  std::map<Key, int> busy_;
  bool started_ = false;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace tidemark::log
