#pragma once

#include <glog/logging.h>

#include <algorithm>
#include <cstdint>

#include "common/base/ids.h"

namespace tidemark::log {

// How far a log has come on its way to the disk. A value; the log's owner has
// it.
//
//   safe <= flushed <= end     safe <= taken <= end
//
// `safe` is on stable storage: in the segments or in the journal. `flushed` is
// what is promised: the same, but for page-cache mode, where all that was
// appended counts, and for what was deleted before it was safe. `taken` is
// what works in progress will make safe.
class Durability {
 public:
  Offset end() const { return end_; }
  Offset flushed() const { return flushed_; }
  Offset safe() const { return safe_; }
  Offset taken() const { return taken_; }
  // Of works: what was cut in between makes them void.
  uint64_t generation() const { return generation_; }

  // An opened log, or one that was synced as a whole: everything is safe.
  void AllSafe(Offset end) {
    end_ = flushed_ = safe_ = taken_ = end;
    CheckInvariants();
  }
  void Appended(Offset end, bool waits_for_sync) {
    end_ = end;
    if (!waits_for_sync) flushed_ = end_;
    CheckInvariants();
  }
  void CountUnsynced() { flushed_ = end_; }
  void Taken(Offset upto) {
    taken_ = upto;
    CheckInvariants();
  }
  // False: the work is void.
  bool Synced(uint64_t generation, Offset upto) {
    if (generation != generation_) return false;
    safe_ = std::max(safe_, upto);
    flushed_ = std::max(flushed_, safe_);
    CheckInvariants();
    return true;
  }
  // A cut begins, or is given up: works in progress are void, what they took
  // has to be taken again.
  void BeginCut() {
    ++generation_;
    taken_ = safe_;
  }
  void Cut(Offset end) {
    end_ = end;
    flushed_ = std::min(flushed_, end_);
    safe_ = std::min(safe_, end_);
    taken_ = safe_;
    CheckInvariants();
  }
  // Nothing is left below `start`, so nothing is missing there.
  void StartedAt(Offset start) {
    flushed_ = std::max(flushed_, start);
    CheckInvariants();
  }

  void CheckInvariants() const {
    CHECK(safe_ <= flushed_ && flushed_ <= end_ && safe_ <= taken_ &&
          taken_ <= end_)
        << "safe=" << safe_ << " flushed=" << flushed_ << " taken=" << taken_
        << " end=" << end_;
  }

 private:
  Offset end_ = 0;
  Offset flushed_ = 0;
  Offset safe_ = 0;
  Offset taken_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace tidemark::log
