#include "common/record/compression.h"

#include <glog/logging.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/record/big_endian.h"

namespace tidemark::record {
namespace {

constexpr size_t kStep = size_t{64} << 10;

Error Corrupt(const char* what) {
  return Error{ErrorCode::kCorruptMessage, what};
}

// Output that grows by doubling, never past the limit.
class BoundedOutput {
 public:
  explicit BoundedOutput(size_t limit) : limit_(limit) {}

  // Room for at least one more byte; false when the limit is reached.
  bool Grow() {
    if (used_ < text_.size()) return true;
    if (used_ == limit_) return false;
    text_.resize(std::min(limit_, std::max(kStep, 2 * used_)));
    return true;
  }
  char* at() { return text_.data() + used_; }
  size_t room() const { return text_.size() - used_; }
  void Advance(size_t count) { used_ += count; }
  std::string Take() && {
    text_.resize(used_);
    return std::move(text_);
  }

 private:
  size_t limit_;
  size_t used_ = 0;
  std::string text_;
};

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

Result<std::string> DecompressGzip(std::string_view in, size_t limit) {
  z_stream stream{};
  CHECK_EQ(inflateInit2(&stream, kGzipWindow), Z_OK);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ender(&stream,
                                                            &inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  BoundedOutput out(limit);
  char beyond;
  while (true) {
    // At the limit one byte of room tells "just fits" from "too large".
    const bool full = !out.Grow();
    stream.next_out = reinterpret_cast<Bytef*>(full ? &beyond : out.at());
    const size_t room = full ? 1 : std::min<size_t>(out.room(), 1u << 30);
    stream.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream, Z_NO_FLUSH);
    const size_t made = room - stream.avail_out;
    if (full && made > 0) return Fail(Corrupt("gzip: too large"));
    out.Advance(full ? 0 : made);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return std::move(out).Take();
      if (inflateReset(&stream) != Z_OK) return Fail(Corrupt("gzip"));
    } else if (code != Z_OK) {
      return Fail(Corrupt("gzip: corrupt or cut off"));
    }
  }
}

// ---- snappy

constexpr std::string_view kXerialMagic{"\x82SNAPPY\0", 8};
constexpr size_t kXerialHeaderSize = 16;  // magic, version, compatible version
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

Status AppendSnappyBlock(std::string_view block, size_t limit,
                         std::string* out) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) {
    return Fail(Corrupt("snappy: corrupt length"));
  }
  if (size > limit - out->size()) return Fail(Corrupt("snappy: too large"));
  // Snappy's densest code stands for 64 bytes in 3: a larger promise is a lie
  // that must not cost the memory.
  if (size / 32 > block.size()) return Fail(Corrupt("snappy: corrupt length"));
  const size_t before = out->size();
  out->resize(before + size);
  if (!snappy::RawUncompress(block.data(), block.size(),
                             out->data() + before)) {
    return Fail(Corrupt("snappy: corrupt block"));
  }
  return {};
}

Result<std::string> DecompressSnappy(std::string_view in, size_t limit) {
  std::string out;
  if (!in.starts_with(kXerialMagic)) {
    TM_RETURN_IF_ERROR(AppendSnappyBlock(in, limit, &out));
    return out;
  }
  while (!in.empty()) {
    // Streams may be concatenated, each with its header.
    if (in.starts_with(kXerialMagic)) {
      if (in.size() < kXerialHeaderSize) return Fail(Corrupt("snappy: header"));
      in.remove_prefix(kXerialHeaderSize);
      continue;
    }
    if (in.size() < sizeof(int32_t)) return Fail(Corrupt("snappy: cut off"));
    const auto length = LoadBigEndian<uint32_t>(in.data());
    in.remove_prefix(sizeof(int32_t));
    if (length > in.size()) return Fail(Corrupt("snappy: block cut off"));
    TM_RETURN_IF_ERROR(AppendSnappyBlock(in.substr(0, length), limit, &out));
    in.remove_prefix(length);
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

Result<std::string> DecompressLz4(std::string_view in, size_t limit) {
  LZ4F_dctx* raw = nullptr;
  CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)));
  const std::unique_ptr<LZ4F_dctx, size_t (*)(LZ4F_dctx*)> context(
      raw, &LZ4F_freeDecompressionContext);
  BoundedOutput out(limit);
  size_t hint = 1;
  while (hint != 0 || !in.empty()) {
    char beyond;
    const bool full = !out.Grow();
    char* to = full ? &beyond : out.at();
    size_t made = full ? 1 : out.room();
    size_t taken = in.size();
    hint =
        LZ4F_decompress(context.get(), to, &made, in.data(), &taken, nullptr);
    if (LZ4F_isError(hint)) return Fail(Corrupt("lz4: corrupt"));
    if (full && made > 0) return Fail(Corrupt("lz4: too large"));
    if (hint != 0 && made == 0 && taken == 0) {
      return Fail(Corrupt("lz4: cut off"));
    }
    out.Advance(made);
    in.remove_prefix(taken);
  }
  return std::move(out).Take();
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

Result<std::string> DecompressZstd(std::string_view in, size_t limit) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(
      ZSTD_createDCtx(), &ZSTD_freeDCtx);
  CHECK(context != nullptr);
  BoundedOutput out(limit);
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  size_t hint = 1;
  while (hint != 0 || input.pos < input.size) {
    char beyond;
    const bool full = !out.Grow();
    ZSTD_outBuffer output{full ? &beyond : out.at(), full ? 1 : out.room(), 0};
    const size_t before = input.pos;
    hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint)) return Fail(Corrupt("zstd: corrupt"));
    if (full && output.pos > 0) return Fail(Corrupt("zstd: too large"));
    if (hint != 0 && output.pos == 0 && input.pos == before) {
      return Fail(Corrupt("zstd: cut off"));
    }
    out.Advance(output.pos);
  }
  return std::move(out).Take();
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
  switch (codec) {
    case Codec::kNone:
      if (compressed.size() > limit) return Fail(Corrupt("too large"));
      return std::string(compressed);
    case Codec::kGzip:
      return DecompressGzip(compressed, limit);
    case Codec::kSnappy:
      return DecompressSnappy(compressed, limit);
    case Codec::kLz4:
      return DecompressLz4(compressed, limit);
    case Codec::kZstd:
      return DecompressZstd(compressed, limit);
  }
  return Fail(ErrorCode::kUnsupportedCompressionType,
              "codec " + std::to_string(static_cast<int>(codec)));
}

}  // namespace tidemark::record
