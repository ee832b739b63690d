#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "broker/log/entry_file.h"
#include "common/base/ids.h"

namespace tidemark::log {

// Where in a segment a batch is. On disk as in Kafka (kafka OffsetIndex):
//
//   0 relative offset i32   last offset of the batch, less the base offset
//   4 position        i32   of the batch's first byte in the segment
//
// sparse (one entry per index.interval.bytes), both columns ascending.
class OffsetIndex {
 public:
  OffsetIndex(io::FileSystem& fs, std::string path, Offset base_offset)
      : entries_(fs, std::move(path), kEntrySize), base_offset_(base_offset) {}

  static constexpr size_t kEntrySize = 8;

  // kCorruptMessage: not an index of this segment, or one that points behind
  // its `segment_size` bytes; rebuild it.
  Status Load(uint64_t segment_size);
  Status Append(Offset last_offset, uint32_t position);
  struct Entry {
    Offset last_offset = -1;
    uint32_t position = 0;
  };
  // Whether an entry says what is in the segment. One that does not has rotted:
  // the one before it is used, for all of them say less than there is.
  using Believe = std::function<Result<bool>(const Entry&)>;
  // A position at or before the batch that contains `offset`.
  Result<uint32_t> Lookup(Offset offset, const Believe& believe) const;
  // The last indexed position at or before `position`; 0 when there is none.
  Result<uint32_t> FloorOfPosition(uint32_t position,
                                   const Believe& believe) const;
  // An entry was not believed.
  bool rotten() const { return rotten_; }
  // Position of the last entry, 0 when there is none.
  uint32_t LastPosition() const;
  // Drops entries that point at or behind `position`.
  Status TruncateToPosition(uint64_t position);

  EntryFile& file() { return entries_; }
  size_t count() const { return entries_.count(); }

 private:
  Entry Parse(const std::string& bytes) const;
  // The position of the last entry whose `field` is at most `wanted`.
  template <class T>
  Result<uint32_t> Search(T Entry::*field, T wanted,
                          const Believe& believe) const;

  EntryFile entries_;
  Offset base_offset_;
  mutable bool rotten_ = false;
};

}  // namespace tidemark::log
