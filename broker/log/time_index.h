#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "broker/log/entry_file.h"
#include "common/base/ids.h"

namespace tidemark::log {

// Up to which offset all timestamps of a segment are at most `timestamp`. On
// disk as in Kafka (kafka TimeIndex):
//
//   0 timestamp       i64   ms
//   8 relative offset i32   last offset of the batch that reached it
//
// both columns ascending.
class TimeIndex {
 public:
  TimeIndex(io::FileSystem& fs, std::string path, Offset base_offset)
      : entries_(fs, std::move(path), kEntrySize), base_offset_(base_offset) {}

  static constexpr size_t kEntrySize = 12;

  struct Entry {
    int64_t timestamp_ms = -1;
    Offset offset = -1;  // the segment's base offset when there is no entry
  };

  // kCorruptMessage: rebuild it.
  Status Load();
  // Ignored unless `timestamp_ms` is greater than the last entry's.
  Status MaybeAppend(int64_t timestamp_ms, Offset offset);
  // As OffsetIndex.
  using Believe = std::function<Result<bool>(const Entry&)>;
  // The last entry with at most `timestamp_ms`: the search starts there.
  Result<Entry> Lookup(int64_t timestamp_ms, const Believe& believe) const;
  bool rotten() const { return rotten_; }
  Entry Last() const;
  // Drops entries at or behind `offset`.
  Status TruncateTo(Offset offset);

  EntryFile& file() { return entries_; }
  size_t count() const { return entries_.count(); }

 private:
  Entry Parse(const std::string& entry) const;

  EntryFile entries_;
  Offset base_offset_;
  mutable bool rotten_ = false;
};

}  // namespace tidemark::log
