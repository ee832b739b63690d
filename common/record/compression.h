#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/record/batch_header.h"

// The codecs of record batches. Pure; any thread.
namespace tidemark::record {

// A few kilobytes can stand for gigabytes. No batch that a sane client sends
// comes near this; what does is refused before the memory is taken.
inline constexpr size_t kMaxDecompressedSize = size_t{128} << 20;

// kSnappy gives the block framing of xerial's Java library, which is what
// every Kafka client reads. REQUIRES: IsKnownCodec(codec).
std::string Compress(Codec codec, std::string_view plain);

// kSnappy takes both the xerial framing and one raw block, as librdkafka and
// Go clients may send it. kCorruptMessage: not of that codec, cut off, or more
// than `limit` bytes. kUnsupportedCompressionType: an unknown codec.
Result<std::string> Decompress(Codec codec, std::string_view compressed,
                               size_t limit = kMaxDecompressedSize);

}  // namespace tidemark::record
