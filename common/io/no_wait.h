#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/base/result.h"

namespace tidemark::io {

class File;
class FileSystem;

// While one lives on a thread, this thread does not wait for a disk to read:
// File::ReadAt and FileSystem::Open (of what need not be made) fail with
// kWouldWait where something is not in memory, and the scope remembers what.
// Whoever opened it has that read by a thread that may wait (ReadMissed), and
// tries again. So code in between says nothing about it: it passes the error
// on, which is about the moment and not about the disk.
//
// Where a file system cannot tell (RWF_NOWAIT, RESOLVE_CACHED) it waits as
// ever. Writes and syncs are not concerned. The innermost scope counts.
class NoWait {
 public:
  // A part of `file` or, without one, the way to `path` on `files`.
  struct Missed {
    std::shared_ptr<const File> file;
    uint64_t position = 0;
    size_t count = 0;
    FileSystem* files = nullptr;
    std::string path;

    bool IsNothing() const { return file == nullptr && files == nullptr; }
  };

  NoWait() : outer_(current_) { current_ = this; }
  ~NoWait() { current_ = outer_; }
  NoWait(const NoWait&) = delete;
  NoWait& operator=(const NoWait&) = delete;

  // What the last kWouldWait was about; nothing when there was none.
  Missed& missed() { return missed_; }

  // Of this thread; nullptr: it may wait.
  static NoWait* Current() { return current_; }
  // For threads that are simulated.
  static NoWait* Exchange(NoWait* scope) {
    return std::exchange(current_, scope);
  }
  // For those who implement files. REQUIRES: Current() != nullptr.
  static tl::unexpected<Error> Miss(Missed missed);

 private:
  NoWait* const outer_;
  Missed missed_;
  static inline thread_local NoWait* current_ = nullptr;
};

// Brings it into memory, and what a reader that goes on will want next.
// Blocking; the first error.
Status ReadMissed(const NoWait::Missed& missed);

}  // namespace tidemark::io
