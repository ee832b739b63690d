#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/io/file.h"

namespace tidemark::log {

// A file of fixed-size entries that only grows at its end or is cut there:
// what both kinds of index are made of. The newest entries wait in memory
// until there are enough of them for a write, and for as long as there is no
// room for one; the file is open only during a call, so an idle segment costs
// no descriptor. The last entry is always in memory. Owner's thread only.
class EntryFile {
 public:
  EntryFile(io::FileSystem& fs, std::string path, size_t entry_size)
      : fs_(&fs), path_(std::move(path)), entry_size_(entry_size) {}

  // Counts what is on disk; a missing file counts as empty.
  // kCorruptMessage: the size is no multiple of the entry size.
  Status Load();
  // Fails only with kKafkaStorageError: a shortage leaves it in memory.
  Status Append(std::string_view entry);
  // Empty when there is none.
  const std::string& last() const { return last_; }
  Result<std::string> At(size_t index) const;
  size_t count() const { return on_disk_ + tail_.size() / entry_size_; }
  const std::string& path() const { return path_; }
  // The file will be called that; until TakeOther it is read under either name.
  void SetOther(std::string path) { other_ = std::move(path); }
  void TakeOther() { path_ = std::exchange(other_, {}); }
  // Keeps the first `count` entries.
  Status Truncate(size_t count);
  // Writes what waits in memory.
  Status Flush();
  // Flush, and the file, for the caller to sync.
  Result<std::shared_ptr<io::File>> FlushAndOpen();
  Status Remove();

  // Positions of several entries in one open file: a binary search's view.
  class Reader {
   public:
    Result<std::string> At(size_t index) const { return Read(index, 1); }
    // `count` entries, one behind the other.
    Result<std::string> Read(size_t first, size_t count) const;

   private:
    friend class EntryFile;
    const EntryFile* entries_ = nullptr;
    std::shared_ptr<io::File> file_;
  };
  Result<Reader> OpenReader() const;

 private:
  io::FileSystem* fs_;
  std::string path_;
  std::string other_;
  size_t entry_size_;
  size_t on_disk_ = 0;
  std::string tail_;
  std::string last_;
};

}  // namespace tidemark::log
