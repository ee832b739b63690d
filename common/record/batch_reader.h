#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/record/batch_header.h"
#include "common/record/compression.h"

namespace tidemark::record {

struct BatchView {
  BatchHeader header;
  std::string_view bytes;  // exactly this batch
};

// Walks the batches of a buffer: a log segment's part, a Produce request's or
// a Fetch answer's records. Looks at headers only; checksums are for
// ParseAndVerifyBatch. The buffer outlives the iterator and its views.
class BatchIterator {
 public:
  explicit BatchIterator(std::string_view bytes) : bytes_(bytes) {}

  // The next batch; nullopt at the end. A last batch that is cut off counts as
  // the end, as a Fetch answer may contain one: then position() is short of
  // the buffer's size. Errors as ParseBatchHeader's; they repeat.
  Result<std::optional<BatchView>> Next();

  // Bytes of the batches returned so far.
  size_t position() const { return at_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

struct RecordHeader {
  std::string_view key;
  std::optional<std::string_view> value;

  bool operator==(const RecordHeader&) const = default;
};

struct Record {
  Offset offset = 0;
  int64_t timestamp = kNoTimestamp;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<RecordHeader> headers;

  bool operator==(const Record&) const = default;
};

// Walks the records of one batch, decompressing when needed. Records are
// views into the batch or, when it is compressed, into the reader.
class RecordReader {
 public:
  // `batch` is exactly one batch; its checksum is not looked at. It outlives
  // the reader. `limit` bounds the decompressed size.
  // kCorruptMessage; kUnsupportedCompressionType; kUnsupportedForMessageFormat.
  static Result<RecordReader> Open(std::string_view batch,
                                   size_t limit = kMaxDecompressedSize);

  const BatchHeader& header() const { return header_; }

  // The next record; nullopt after the last. kInvalidRecord: the records are
  // not what the header promises (count, lengths, offsets in increasing order
  // and within the batch).
  Result<std::optional<Record>> Next();

 private:
  RecordReader() = default;

  BatchHeader header_;
  std::unique_ptr<const std::string> decompressed_;
  std::string_view rest_;
  int32_t seen_ = 0;
  int32_t last_delta_ = -1;
};

// Every record of `batch` in turn; stops at the first error of the batch or of
// `each`.
Status ForEachRecord(std::string_view batch,
                     const std::function<Status(const Record&)>& each,
                     size_t limit = kMaxDecompressedSize);

}  // namespace tidemark::record
