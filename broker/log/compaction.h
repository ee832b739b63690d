#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/log/log.h"
#include "broker/log/log_mark.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/io/file.h"

// What a log and its cleaner tell each other, and what is to be cleaned of a
// log (kafka LogCleanerManager). Plain values.
namespace tidemark::log {

// The newest of a producer in a log: its last batch must stay, so that whoever
// reads the log from its start knows its sequence.
struct LastOfProducer {
  Offset batch = -1;         // its last offset; -1: a marker is all there is
  ProducerEpoch epoch = -1;  // of the marker
};

// A segment that gets no more batches.
struct CleanableSegment {
  std::string path;  // of the file of its batches
  uint64_t size = 0;
  Offset base = 0;
  Offset end = 0;
  int64_t max_timestamp_ms = -1;

  bool operator==(const CleanableSegment&) const = default;
};

// The changes of names by which a cleaned segment becomes the log's own on
// disk, too. They wait for the disk, so that the log's owner does not make
// them: it reads the segment under either name. Any thread that may wait.
class NameSwap {
 public:
  // `replaced` follow each other; the files of the new segment are there.
  NameSwap(io::FileSystem& fs, const std::string& dir,
           const std::vector<CleanableSegment>& replaced, bool has_aborted);

  // Once the log has taken it: nothing is renamed after its log is gone, for
  // the names are another's then.
  void Guard(std::shared_ptr<LogMark> mark) { mark_ = std::move(mark); }
  // Takes the files that are not needed any more, by the names they have then;
  // without it they are removed at once.
  using Remove = std::function<void(std::vector<std::string>)>;
  void RemoveWith(Remove remove) { remove_ = std::move(remove); }

  // The directory has a new name that says what is forgotten then, which is to
  // be on disk before; `others` say what was before.
  void Forgets(std::vector<std::string> others);

  // Goes on from where it was left. kOutOfSpace: it is to be tried again.
  Status Finish();
  bool finished() const { return finished_.load(std::memory_order_acquire); }

 private:
  Status Rename();

  io::FileSystem& fs_;
  const std::string dir_;
  std::shared_ptr<LogMark> mark_;
  Remove remove_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::string>> names_;
  size_t done_ = 0;                  // of them
  std::vector<std::string> unused_;  // then
  bool unsynced_ = false;            // the directory, before the first
  std::atomic<bool> finished_ = false;
};

// What may be cleaned of a log, and how dirty that is.
struct Cleanable {
  std::string dir;
  uint64_t generation = 0;  // what was cut in between makes it void
  LogConfig config;
  // All in front of the first that must stay as it is, from the log's start.
  std::vector<CleanableSegment> segments;
  Offset first_dirty = 0;
  uint64_t clean_bytes = 0;
  uint64_t dirty_bytes = 0;
  bool overdue = false;  // by max.compaction.lag.ms
  bool has_aborted = false;
  // Somebody copies the log, and is not behind what would be forgotten.
  bool forgets_nothing = false;
  // Of the segment that was cleaned last; nothing else may be until then.
  std::shared_ptr<NameSwap> unfinished;

  double DirtyRatio() const {
    const uint64_t all = clean_bytes + dirty_bytes;
    return all == 0
               ? 0
               : static_cast<double>(dirty_bytes) / static_cast<double>(all);
  }
  bool Due() const {
    return unfinished != nullptr ||
           (dirty_bytes > 0 &&
            (overdue || DirtyRatio() > config.min_cleanable_ratio));
  }
};

// Segments that follow each other, in [base, end), of which one is made.
struct SegmentGroup {
  std::vector<CleanableSegment> segments;
  Offset base() const { return segments.front().base; }
  Offset end() const { return segments.back().end; }
};
// Those in front of `end` in groups: none larger than segment.bytes and than
// what the offsets and positions of an index reach, unless it was before.
std::vector<SegmentGroup> GroupSegments(
    const std::vector<CleanableSegment>& segments, Offset end,
    int64_t segment_bytes);

// The files that a cleaner has written and synced beside a log: those of a
// segment, each with this behind its name.
inline constexpr std::string_view kIndexSuffixes[] = {".index", ".timeindex",
                                                      ".txnindex"};
inline constexpr char kCleanedSuffix[] = ".cleaned";
// The batches of a segment that takes the place of others. It is whole; what a
// crash has left of the others is to go.
inline constexpr char kSwapSuffix[] = ".swap";
// No segment's file any more.
inline constexpr char kDeletedSuffix[] = ".deleted";
// In the directory of a log whose offsets may have gaps, also where its topic's
// settings are not known yet.
inline constexpr char kGapsFile[] = "compacted";

struct CleanedGroup {
  uint64_t generation = 0;
  std::vector<CleanableSegment> replaced;
  bool forgets = false;            // something that said that something is gone
  std::shared_ptr<NameSwap> swap;  // once the log has taken it
};

}  // namespace tidemark::log
