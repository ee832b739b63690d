#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "common/record/decompressor.h"

namespace tidemark::record {

// What is to be known of a record without keeping it.
struct ScannedRecord {
  int32_t index = 0;  // in the batch, which is its offset delta
  int64_t timestamp_delta = 0;
  bool has_key = false;
};

// Reads every record of a batch as a consumer does (lengths, varints, offset
// deltas, headers), unpacking as it goes and keeping nothing: a bomb costs
// time, up to a bound, and no memory. REQUIRES of the batch: as many records
// as offsets, as a producer's batch must be.
class RecordScanner {
 public:
  // `batch` is exactly one batch with this header, and outlives the scanner.
  // Unpacking more than `limit` bytes is an error. Errors as Decompressor's.
  static Result<RecordScanner> Open(std::string_view batch,
                                    const BatchHeader& header, size_t limit);

  // The next record; nullopt after the last. kInvalidRecord: what is there is
  // not what the header promises. kCorruptMessage: it cannot be unpacked.
  Result<std::optional<ScannedRecord>> Next();
  // Bytes so far.
  size_t unpacked() const { return unpacked_; }

 private:
  RecordScanner() = default;

  bool Refill();
  bool Byte(uint8_t* out);
  bool Varint(uint64_t max, int64_t* out);
  bool Int32(int32_t* out);
  bool Skip(int64_t count);
  bool Nullable(bool* present);
  bool Headers();
  bool Body(ScannedRecord* record);
  tl::unexpected<Error> Broken(const char* what);

  std::unique_ptr<Decompressor> source_;
  std::string_view window_;  // unpacked, not read yet
  size_t unpacked_ = 0;
  size_t limit_ = 0;
  std::optional<Error> error_;  // of the source
  int32_t count_ = 0;
  int32_t seen_ = 0;
  int64_t left_ = 0;  // of the record
};

}  // namespace tidemark::record
