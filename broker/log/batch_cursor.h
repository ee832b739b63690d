#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/io/file.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// Walks the batches of a segment file from one position to another, reading
// ahead in windows. Owner's thread only.
class BatchCursor {
 public:
  enum class Want { kHeaders, kWholeBatches };

  struct Item {
    record::BatchHeader header;
    uint64_t position = 0;
    std::string_view bytes;  // until the next call; kWholeBatches only
  };

  // REQUIRES: `file` outlives the cursor.
  BatchCursor(const io::File& file, uint64_t from, uint64_t to, Want want,
              size_t window)
      : file_(file), at_(from), to_(to), want_(want), window_size_(window) {}

  // The next batch; nullopt at the end. kCorruptMessage: what lies at
  // position() is no whole batch. kWholeBatches checks the checksum too.
  Result<std::optional<Item>> Next();

  // Behind the last batch that was returned.
  uint64_t position() const { return at_; }

 private:
  // `count` bytes at `at`; REQUIRES: at + count <= to_.
  Result<std::string_view> Bytes(uint64_t at, size_t count);

  const io::File& file_;
  uint64_t at_;
  uint64_t to_;
  Want want_;
  size_t window_size_;
  std::string window_;
  uint64_t window_at_ = 0;
};

}  // namespace tidemark::log
