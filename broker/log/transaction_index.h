#pragma once

#include <string>
#include <vector>

#include "broker/log/entry_file.h"
#include "broker/log/transaction.h"
#include "common/base/ids.h"

namespace tidemark::log {

// The transactions that were aborted by markers in a segment, in the order of
// their markers. On disk as in Kafka (kafka TransactionIndex, AbortedTxn), and
// only where there is any:
//
//    0 version             i16   0
//    2 producer id         i64
//   10 first offset        i64   of the transaction, maybe in front of the
//                                segment
//   18 last offset         i64   of its marker
//   26 last stable offset  i64   when the marker was appended
//
// The last two columns ascend. Nothing but that protects the file, so what it
// says is checked when it is read, as far as it can be.
class TransactionIndex {
 public:
  static constexpr size_t kEntrySize = 34;

  TransactionIndex(io::FileSystem& fs, std::string path, Offset base_offset)
      : entries_(fs, std::move(path), kEntrySize), base_offset_(base_offset) {}

  // kCorruptMessage, of all of these: rebuild it.
  Status Load();
  Status Append(const AbortedTransaction& aborted);
  // Adds to `found` the transactions of which a part lies in [from, below).
  // True: all that later segments know of lie behind `below`.
  Result<bool> Collect(Offset from, Offset below,
                       std::vector<AbortedTransaction>* found) const;
  // Drops those whose markers are at or behind `end`.
  Status TruncateTo(Offset end);

  EntryFile& file() { return entries_; }
  size_t count() const { return entries_.count(); }

 private:
  Result<AbortedTransaction> Parse(std::string_view entry) const;
  // How many have markers in front of `offset`.
  Result<size_t> CountBelow(const EntryFile::Reader& reader,
                            Offset offset) const;

  EntryFile entries_;
  Offset base_offset_;
};

}  // namespace tidemark::log
