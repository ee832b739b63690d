#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "broker/log/journal_format.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::log {

class LogSyncer;

// What the owner of a log and the threads of its directory tell each other
// about it. A log that is acknowledged from the journal is synced behind; the
// mark says how far that is, and what the checkpoint files may say.
//
// Invariant: everything below synced() is in the segments, durably, with the
// indexes of sealed ones and the entries of the directory; so are the files and
// entries up to synced_change().
class LogMark {
 public:
  LogMark() = default;
  explicit LogMark(LogSyncer& syncer) : syncer_(&syncer) {}

  // Who syncs the log, for as long as it is not closed; nullptr: whoever
  // takes its works.
  LogSyncer* syncer() const { return syncer_; }

  // What the journal calls the log. Set once, before the first sync.
  JournalKey key() const {
    std::lock_guard lock(mutex_);
    return key_;
  }
  void SetKey(JournalKey key) {
    std::lock_guard lock(mutex_);
    key_ = key;
  }

  // A new log is not in the journal yet: what that has of an earlier one of the
  // same name and id still counts, so nothing is promised.
  void SetNoted(bool noted) {
    std::lock_guard lock(mutex_);
    noted_ = noted;
  }
  bool noted() const {
    std::lock_guard lock(mutex_);
    return noted_;
  }

  // On the owner's thread, before the log changes: `generation` is that of the
  // works from now on.
  void Cut(uint64_t generation, Offset end) {
    std::lock_guard lock(mutex_);
    generation_ = generation;
    synced_ = std::min(synced_, end);
  }
  // The journal has the cut.
  void CutNoted(uint64_t generation) {
    std::lock_guard lock(mutex_);
    cutting_ = generation > cut_generation_;
  }
  // It is done and synced, or has failed.
  void CutDone(uint64_t generation) {
    {
      std::lock_guard lock(mutex_);
      cutting_ = false;
      cut_generation_ = generation;
    }
    cut_done_.notify_all();
  }
  // The journal must not forget a cut before it is done. Its owner is at it.
  void WaitForCut() {
    std::unique_lock lock(mutex_);
    cut_done_.wait(lock, [this] { return !cutting_; });
  }
  // The log is new: it has no recovery point before `change` is synced, by
  // which recovery knows that it is there for good.
  void SetMade(uint64_t change) {
    std::lock_guard lock(mutex_);
    made_ = change;
  }
  void SetStart(Offset start) {
    std::lock_guard lock(mutex_);
    start_ = start;
  }
  // Everything in front of it was cleaned.
  void SetFirstDirty(Offset first_dirty) {
    std::lock_guard lock(mutex_);
    first_dirty_ = first_dirty;
  }
  // Text of the epoch file, which is different for offsets from `from` on: to
  // be written before the recovery point is behind it.
  void SetEpochs(std::string text, Offset from) {
    std::lock_guard lock(mutex_);
    epochs_ = std::move(text);
    epochs_from_ = std::min(epochs_from_, from);
    ++epochs_version_;
  }

  uint64_t generation() const {
    std::lock_guard lock(mutex_);
    return generation_;
  }
  // Works of `generation` mean what they did when they were taken.
  bool IsCurrent(uint64_t generation) const {
    std::lock_guard lock(mutex_);
    return !removed_ && generation == generation_;
  }
  // The segments are synced up to `end`, unless the log was cut since, and so
  // are files and entries up to `change`.
  void Synced(uint64_t generation, Offset end, uint64_t change) {
    std::lock_guard lock(mutex_);
    if (generation == generation_) synced_ = std::max(synced_, end);
    synced_change_ = std::max(synced_change_, change);
  }
  Offset synced() const {
    std::lock_guard lock(mutex_);
    return synced_;
  }
  uint64_t synced_change() const {
    std::lock_guard lock(mutex_);
    return synced_change_;
  }

  struct Checkpoint {
    Offset recovery_point = 0;
    Offset start_offset = 0;
    Offset first_dirty = 0;
    std::string epochs;           // to be written first
    uint64_t epochs_version = 0;  // 0: the file will do
  };
  // nullopt: the log is not there for good yet, or nobody knows whose it is.
  std::optional<Checkpoint> checkpoint() const {
    std::lock_guard lock(mutex_);
    if (synced_change_ < made_ || key_.topic_id.IsZero()) return std::nullopt;
    Checkpoint now{synced_, start_, first_dirty_, {}, 0};
    if (synced_ > epochs_from_) {
      now.epochs = epochs_;
      now.epochs_version = epochs_version_;
    }
    return now;
  }
  // Runs `put` unless the log has been removed: what it was called belongs to
  // another then. Nobody but Put and Remove waits meanwhile.
  template <class F>
  Status Put(uint64_t epochs_version, const F& put) {
    std::lock_guard naming(naming_);
    if (removed()) return {};
    Status done = put();
    std::lock_guard lock(mutex_);
    if (done && epochs_version == epochs_version_) epochs_from_ = INT64_MAX;
    return done;
  }
  bool removed() const {
    std::lock_guard lock(mutex_);
    return removed_;
  }
  template <class F>
  Status Remove(const F& remove) {
    std::lock_guard naming(naming_);
    {
      std::lock_guard lock(mutex_);
      removed_ = true;
    }
    return remove();
  }

 private:
  LogSyncer* const syncer_ = nullptr;
  std::mutex naming_;  // of who renames its files, or it; taken first
  mutable std::mutex mutex_;
  JournalKey key_;
  bool noted_ = true;
  uint64_t generation_ = 0;
  Offset synced_ = 0;
  uint64_t synced_change_ = 0;
  uint64_t made_ = 0;
  bool cutting_ = false;  // and the journal has it
  uint64_t cut_generation_ = 0;
  std::condition_variable cut_done_;
  Offset start_ = 0;
  Offset first_dirty_ = 0;
  std::string epochs_;
  uint64_t epochs_version_ = 0;
  Offset epochs_from_ = INT64_MAX;
  bool removed_ = false;
};

}  // namespace tidemark::log
