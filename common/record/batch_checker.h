#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "common/record/batch_header.h"

namespace tidemark::record {

// Whether `bytes` are one batch with the checksum it should have, whatever else
// its header says: then nothing damaged it on its way.
bool IsIntact(std::string_view bytes);

// Checks batches that come in pieces of any size: headers that can be,
// checksums that are right, offsets that grow.
class BatchChecker {
 public:
  // Sees each header before the rest of its batch; an error of it is Add's.
  using Each = std::function<Status(const BatchHeader&)>;

  explicit BatchChecker(Each each = {}) : each_(std::move(each)) {}

  // The next bytes. kCorruptMessage, kUnsupportedForMessageFormat: a batch that
  // ends or begins in them is not what was written.
  Status Add(std::string_view piece);
  // Whether what was added ends with a whole batch.
  bool AtBoundary() const { return filled_ == 0; }
  // Behind the last whole batch; -1 when there was none.
  Offset next() const { return next_; }

 private:
  Status Begin();
  Status End();

  const Each each_;
  std::array<char, kBatchHeaderSize> bytes_;  // of the header
  size_t filled_ = 0;
  BatchHeader header_;
  size_t left_ = 0;  // of the batch, behind its header
  uint32_t crc_ = 0;
  Offset next_ = -1;
};

}  // namespace tidemark::record
