#include "common/record/compression.h"

#include <glog/logging.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "common/record/big_endian.h"
#include "common/record/decompressor.h"
#include "common/record/snappy_framing.h"

namespace tidemark::record {
namespace {

// ---- gzip

constexpr int kGzipWindow = 15 + 16;  // zlib: 16 asks for the gzip format

std::string CompressGzip(std::string_view plain) {
  z_stream stream{};
  CHECK_EQ(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow,
                        8, Z_DEFAULT_STRATEGY),
           Z_OK);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// ---- snappy

constexpr size_t kXerialBlock = size_t{32} << 10;

std::string CompressSnappy(std::string_view plain) {
  std::string out(kXerialMagic);
  AppendBigEndian<int32_t>(1, &out);
  AppendBigEndian<int32_t>(1, &out);
  while (!plain.empty()) {
    const std::string_view block = plain.substr(0, kXerialBlock);
    std::string compressed;
    snappy::Compress(block.data(), block.size(), &compressed);
    AppendBigEndian(static_cast<int32_t>(compressed.size()), &out);
    out += compressed;
    plain.remove_prefix(block.size());
  }
  return out;
}

// ---- lz4

std::string CompressLz4(std::string_view plain) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  std::string out(LZ4F_compressFrameBound(plain.size(), &preferences), '\0');
  const size_t size = LZ4F_compressFrame(out.data(), out.size(), plain.data(),
                                         plain.size(), &preferences);
  CHECK(!LZ4F_isError(size)) << LZ4F_getErrorName(size);
  out.resize(size);
  return out;
}

// ---- zstd

constexpr int kZstdLevel = 3;

std::string CompressZstd(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), plain.data(),
                                    plain.size(), kZstdLevel);
  CHECK(!ZSTD_isError(size)) << ZSTD_getErrorName(size);
  out.resize(size);
  return out;
}

}  // namespace

std::string Compress(Codec codec, std::string_view plain) {
  switch (codec) {
    case Codec::kNone:
      return std::string(plain);
    case Codec::kGzip:
      return CompressGzip(plain);
    case Codec::kSnappy:
      return CompressSnappy(plain);
    case Codec::kLz4:
      return CompressLz4(plain);
    case Codec::kZstd:
      return CompressZstd(plain);
  }
  LOG(FATAL) << "unknown codec " << static_cast<int>(codec);
  return {};
}

Result<std::string> Decompress(Codec codec, std::string_view compressed,
                               size_t limit) {
  TM_ASSIGN_OR_RETURN(const auto source,
                      Decompressor::Open(codec, compressed, limit));
  std::string out;
  while (true) {
    TM_ASSIGN_OR_RETURN(const std::string_view piece, source->Next());
    if (piece.empty()) return out;
    if (piece.size() > limit - out.size()) {
      return Fail(ErrorCode::kCorruptMessage, "unpacks to too much");
    }
    out.append(piece);
  }
}

}  // namespace tidemark::record
