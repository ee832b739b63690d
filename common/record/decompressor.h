#pragma once

#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/record/batch_header.h"

namespace tidemark::record {

// Unpacks one block of records piece by piece, so that what a few kilobytes
// stand for need not be in memory at once: 64 KiB are, and what the codec looks
// back at. One thread; no I/O.
class Decompressor {
 public:
  // `compressed` outlives it. kSnappy takes both the xerial framing and one raw
  // block, which is unpacked as a whole and refused above `limit` bytes.
  // kUnsupportedCompressionType: an unknown codec.
  static Result<std::unique_ptr<Decompressor>> Open(Codec codec,
                                                    std::string_view compressed,
                                                    size_t limit);
  virtual ~Decompressor() = default;

  // The next piece, valid until the next call; empty at the end.
  // kCorruptMessage: not of that codec, or cut off; no call after that.
  virtual Result<std::string_view> Next() = 0;
};

}  // namespace tidemark::record
