#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/batch_cursor.h"
#include "broker/log/offset_index.h"
#include "broker/log/time_index.h"
#include "broker/log/transaction_index.h"
#include "common/base/ids.h"
#include "common/io/file.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// "00000000000000001234.log": names sort as their offsets do.
std::string SegmentFileName(Offset offset, std::string_view suffix);
// The offset of such a name; nullopt for any other, and one beyond kMaxOffset.
std::optional<Offset> ParseSegmentFileName(std::string_view name,
                                           std::string_view suffix);

// A run of batches in a file and its indexes. Files are opened when first
// needed. Owner's thread only; durability is the log's business.
class Segment {
 public:
  // `suffix`: behind the names of its files, while it is no segment of a log.
  Segment(io::FileSystem& fs, const std::string& dir, Offset base_offset,
          std::string_view suffix = "");

  Offset base_offset() const { return base_offset_; }
  uint64_t size() const { return size_; }
  std::string log_path() const { return path_ + ".log" + suffix_; }
  TransactionIndex& transactions() { return transactions_; }
  const TransactionIndex& transactions() const { return transactions_; }

  // Takes size and indexes from disk. kCorruptMessage: an index is broken.
  Status Load();
  // A shortage leaves the file to be made when it is needed.
  Status Create();
  // The same where no file can be yet.
  Status CreateInNew();

  // `first_bytes` and `rest` together are the batches that `headers` describe,
  // with their final offsets. Fails only with kKafkaStorageError.
  Status Append(std::span<const record::BatchHeader> headers,
                std::string_view first_bytes, std::string_view rest,
                int32_t index_interval_bytes);
  // Indexes a batch that is already in the file, right behind the last one.
  Status Adopt(const record::BatchHeader& header, uint64_t position,
               int32_t index_interval_bytes);

  // At or before the batch that contains `offset`: a batch, as far as its
  // header tells. No index is believed without a look at what it points to.
  Result<uint32_t> Floor(Offset offset) const;
  // An indexed batch at or before `position`, 0 when there is none.
  Result<uint32_t> FloorOfPosition(uint32_t position) const;
  // An offset behind which the first timestamp of at least `timestamp_ms` is,
  // or at it.
  Result<Offset> FloorOfTimestamp(int64_t timestamp_ms) const;
  // Indexes have been seen to be wrong.
  bool HasRottenIndex() const {
    return index_.rotten() || time_index_.rotten();
  }
  // REQUIRES: the file stays as it is while the cursor lives.
  Result<BatchCursor> Walk(uint64_t from, BatchCursor::Want want,
                           size_t window) const;
  Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const;

  // Walks the batches behind the last index entry, which the index knows
  // nothing about, for their timestamps. Returns the offset behind the last
  // one. kCorruptMessage: the file does not end with a whole batch.
  Result<Offset> ScanTail();
  // Cuts the file and its indexes in front of the batch at `position`, and
  // syncs the file: what is written there next must never meet old bytes
  // again after a crash.
  Status TruncateTo(uint64_t position, Offset end_offset);
  // Forgets the indexes: Adopt rebuilds two, transactions() is for whoever
  // knows of them.
  Status ResetIndexes();

  // The largest timestamp, -1 when empty or unknown, and the last offset of
  // the batch that has it.
  TimeIndex::Entry MaxTimestamp() const;
  void NoteTimestamp(const record::BatchHeader& header);
  // The newest of it, as retention sees it: where no record is left, that of
  // the first batch.
  int64_t NewestTimestamp() const;
  // As first_timestamp_ms, but looked up when it is not known.
  Result<int64_t> FindFirstTimestamp() const;
  // Of the first batch, for segment.ms; -1: unknown.
  int64_t first_timestamp_ms() const { return first_timestamp_ms_; }

  // The segment gets no more batches: completes its indexes. Returns their
  // files, for the caller to sync.
  Result<std::vector<std::shared_ptr<io::File>>> Seal();
  Result<std::shared_ptr<io::File>> LogFile() const;
  // Its files lose the suffix, one after the other, on another thread: until
  // EndMove, which says that they have, they are found under either name, and
  // only read.
  Status BeginMove();
  void EndMove();
  bool moving() const { return !suffix_.empty(); }
  // Closes the file until it is needed again.
  void Release() {
    if (!moving()) file_ = nullptr;
  }
  // What is, or may be, on disk of it.
  std::vector<std::string> Files() const {
    return {path_ + ".index" + suffix_, path_ + ".timeindex" + suffix_,
            path_ + ".txnindex" + suffix_, log_path()};
  }
  Status Remove();

 private:
  Result<bool> IsBatchOf(const OffsetIndex::Entry& entry) const;
  Result<bool> IsReachedAt(const TimeIndex::Entry& entry) const;

  io::FileSystem* fs_;
  std::string path_;  // without suffix
  std::string suffix_;
  Offset base_offset_;
  mutable std::shared_ptr<io::File> file_;
  // The same as long as anybody has it: however many read from a sealed
  // segment, they hold one descriptor.
  mutable std::weak_ptr<io::File> lent_;
  mutable bool absent_ = false;  // the file is still to be made
  uint64_t size_ = 0;
  OffsetIndex index_;
  TimeIndex time_index_;
  TransactionIndex transactions_;
  uint64_t bytes_since_entry_ = 0;
  TimeIndex::Entry max_timestamp_;  // of batches seen since the segment opened
  int64_t first_timestamp_ms_ = -1;
};

}  // namespace tidemark::log
