#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace tidemark::io {

// An open file. Writes land in the page cache; only Sync makes them survive
// a power cut. Positional, so reads and Sync may run on other threads than
// the writer's. Errors carry path and errno text: kOutOfSpace, kOutOfHandles
// (nothing is broken, later it may work; see IsShortage) or
// kKafkaStorageError, which is everything else and final.
class File : public std::enable_shared_from_this<File> {
 public:
  virtual ~File() = default;

  // Reads up to `count` bytes; fewer only at the end of the file. kWouldWait:
  // only in the scope of a NoWait.
  virtual Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const = 0;
  // What of that is in memory, from the front: at least one byte, or nullopt
  // where it would have to wait for a disk. 0: at the end of the file.
  virtual Result<std::optional<size_t>> ReadCachedAt(uint64_t at, char* to,
                                                     size_t count) const {
    return ReadAt(at, to, count);
  }
  // As ReadAt, but what had to come from the disk is not kept in memory. For a
  // handle of its own: it is read ahead of no more.
  virtual Result<size_t> ReadOnceAt(uint64_t at, char* to, size_t count) const {
    return ReadAt(at, to, count);
  }
  virtual Status WriteAt(uint64_t at, std::string_view bytes) = 0;
  // The pieces one after the other, in one system call where there is one.
  virtual Status WriteAtV(uint64_t at,
                          std::span<const std::string_view> pieces) = 0;
  virtual Status Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Takes the space for `size` bytes, so that writes below it cannot run out
  // of it. The file is `size` long then, zeros where nothing was written.
  virtual Status Reserve(uint64_t size) = 0;
  // From now on writes go past the page cache, where the system can do that:
  // nothing but the bytes themselves is written when they are synced. REQUIRES:
  // each at a multiple of kBlock, a multiple of it long; nothing is read
  // through this handle; one thread.
  static constexpr size_t kBlock = 4096;
  virtual void BypassCache() {}
  // fdatasync. A failed sync must never be retried: the kernel may have
  // dropped the pages (B-32). Always kKafkaStorageError, whatever ran out.
  virtual Status Sync() = 0;
};

struct DiskSpace {
  uint64_t free = 0;  // for this process
  uint64_t total = 0;
};

// The only way to the disk; io::PosixFileSystem() in production, the
// simulator's disk in simulation. Any thread.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // For reading and writing; created empty when missing and `create`.
  // kWouldWait: only in the scope of a NoWait.
  virtual Result<std::shared_ptr<File>> Open(const std::string& path,
                                             bool create) = 0;
  virtual Status CreateDirectories(const std::string& path) = 0;
  // Names in `path`, without "." and "..", sorted.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  // With a slash at the end of `path`: as a directory.
  virtual bool Exists(const std::string& path) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status RemoveAll(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes names created, renamed or removed in `path` survive a power cut.
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Of the disk that `path` lies on.
  virtual Result<DiskSpace> Space(const std::string& path) = 0;
  // Whether any sync has failed since this process began.
  virtual bool HasFailedToSync() const = 0;
};

FileSystem& PosixFileSystem();

// Space, descriptors or memory ran out: nothing is broken.
bool IsShortage(const Error& error);
// That, or kWouldWait: it says nothing about what is on the disk.
bool IsPassing(const Error& error);

// Keeps `count` descriptors aside for PosixFileSystem, which takes one of them
// when the process has no other left: sockets must not starve the disk. Nor the
// disk sockets: beyond `most_files`, these included, it opens none
// (kOutOfHandles). Once, before threads start.
void ReserveDescriptors(size_t count, size_t most_files);

// tmp + sync + rename + directory sync: after return `path` holds `bytes`,
// whatever happens; before it holds the old ones.
Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                           std::string_view bytes);
Result<std::string> ReadFile(FileSystem& fs, const std::string& path);

}  // namespace tidemark::io
