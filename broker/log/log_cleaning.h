#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/batch_filter.h"
#include "broker/log/cleaned_transactions.h"
#include "broker/log/compaction.h"
#include "broker/log/key_offsets.h"
#include "broker/log/segment.h"

namespace tidemark::log {

// A log that is being cleaned, wherever it lives: the calls of Log by these
// names, from the cleaner's thread. They may wait.
class LogBeingCleaned {
 public:
  virtual ~LogBeingCleaned() = default;
  virtual Result<std::map<ProducerId, LastOfProducer>> LastOfProducers() = 0;
  virtual Result<std::vector<AbortedTransaction>> AbortedIn(Offset from,
                                                            Offset below) = 0;
  virtual Result<bool> Replace(const CleanedGroup& cleaned) = 0;
  virtual Status Cleaned(uint64_t generation, Offset upto) = 0;
  virtual void SyncFailed(const Error& error) = 0;
};

// Waits until so much may be read or written. False: give up.
class CleaningPace {
 public:
  virtual ~CleaningPace() = default;
  virtual bool Spend(size_t bytes) = 0;
};

// One pass over a log (kafka Cleaner): the last offset of each key of the dirty
// part, as much of it as the map takes, then everything in front of that is
// written anew without what later records make obsolete, some segments at a
// time, from the oldest on.
//
// Once, on one thread.
class LogCleaning {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kChanged,  // the log is not what it was: begin again
    kStopped,
  };
  struct Counts {
    uint64_t read = 0;     // bytes
    uint64_t written = 0;  // bytes
    uint64_t dropped = 0;  // records
    uint64_t kept = 0;     // records
    Offset right = 0;      // of the last segment, behind what has been read
  };

  LogCleaning(io::FileSystem& fs, Cleanable what, KeyOffsets& keys,
              LogBeingCleaned& log, CleaningPace& pace, int64_t now_ms)
      : fs_(fs),
        what_(std::move(what)),
        keys_(keys),
        log_(log),
        pace_(pace),
        times_{now_ms, what_.config.delete_retention_ms,
               what_.forgets_nothing} {}

  // kCorruptMessage and what else reading batches tells: counts().right.
  // kKafkaStorageError, kOutOfSpace, kOutOfHandles.
  Result<Outcome> Run();
  const Counts& counts() const { return counts_; }

 private:
  using Each =
      std::function<Status(const record::BatchHeader&, std::string_view)>;
  Status Walk(const CleanableSegment& segment, const Each& each);
  Status MapKeys();
  Status MapBatch(const record::BatchHeader& header, std::string_view batch,
                  CleanedTransactions* transactions);
  Status Clean(const SegmentGroup& group);
  Status CopyGroup(const SegmentGroup& group, Segment* out);
  Result<FilteredBatch> Filter(const record::BatchHeader& header,
                               std::string_view batch, bool last, Segment* out);
  Result<FilteredBatch> FilterControl(const record::BatchHeader& header,
                                      std::string_view batch, bool must_stay,
                                      Segment* out);
  bool Keeps(const KeyedRecord& record, bool horizon_passed);
  bool IsLastOfProducer(const record::BatchHeader& header) const;
  Status Put(const record::BatchHeader& header, std::string_view batch,
             const FilteredBatch& filtered, Segment* out);
  Status FlushTo(Segment* out);
  Status Expect(Offset from, Offset below, CleanedTransactions* transactions);
  Status Stop(Outcome outcome);
  // What a sync has come to.
  Status Synced(Status status);

  io::FileSystem& fs_;
  const Cleanable what_;
  KeyOffsets& keys_;
  LogBeingCleaned& log_;
  CleaningPace& pace_;
  const FilterTimes times_;
  std::map<ProducerId, LastOfProducer> lasts_;
  CleanedTransactions transactions_;
  Counts counts_;
  bool full_ = false;     // the map
  bool changed_ = false;  // the group is another one when it is cleaned
  bool forgets_ = false;  // some of what is not in it any more
  Outcome outcome_ = Outcome::kDone;
  // What is to be written next.
  std::vector<record::BatchHeader> headers_;
  std::string bytes_;
  size_t unsynced_ = 0;
};

}  // namespace tidemark::log
