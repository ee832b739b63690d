#include "common/record/decompressor.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/record/big_endian.h"
#include "common/record/snappy_framing.h"

namespace tidemark::record {
namespace {

constexpr size_t kPiece = size_t{64} << 10;

tl::unexpected<Error> Corrupt(const char* what) {
  return Fail(ErrorCode::kCorruptMessage, what);
}

tl::unexpected<Error> NoContext(const char* codec) {
  return Fail(ErrorCode::kUnknownServerError,
              std::string(codec) + ": no memory for a context");
}

class Plain final : public Decompressor {
 public:
  explicit Plain(std::string_view in) : in_(in) {}
  Result<std::string_view> Next() override { return std::exchange(in_, {}); }

 private:
  std::string_view in_;
};

class Gzip final : public Decompressor {
 public:
  explicit Gzip(std::string_view in) : out_(new char[kPiece]) {
    constexpr int kGzipWindow = 15 + 16;  // zlib: 16 asks for the gzip format
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    good_ = inflateInit2(&stream_, kGzipWindow) == Z_OK;
  }
  ~Gzip() override {
    if (good_) inflateEnd(&stream_);
  }

  Result<std::string_view> Next() override {
    if (!good_) return NoContext("gzip");
    while (!ended_) {
      stream_.next_out = reinterpret_cast<Bytef*>(out_.get());
      stream_.avail_out = kPiece;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END) {
        // Streams may be concatenated.
        ended_ = stream_.avail_in == 0;
        const auto made = kPiece - stream_.avail_out;
        if (!ended_ && inflateReset(&stream_) != Z_OK) return Corrupt("gzip");
        if (made > 0) return std::string_view(out_.get(), made);
      } else if (code != Z_OK) {
        return Corrupt("gzip: corrupt or cut off");
      } else if (stream_.avail_out < kPiece) {
        return std::string_view(out_.get(), kPiece - stream_.avail_out);
      }
    }
    return std::string_view();
  }

 private:
  z_stream stream_{};
  std::unique_ptr<char[]> out_;
  bool good_ = false;
  bool ended_ = false;
};

class Snappy final : public Decompressor {
 public:
  Snappy(std::string_view in, size_t limit)
      : in_(in), limit_(limit), framed_(in.starts_with(kXerialMagic)) {}

  Result<std::string_view> Next() override {
    if (!framed_) return Block(std::exchange(in_, {}));
    while (!in_.empty()) {
      // Streams may be concatenated, each with its header.
      if (in_.starts_with(kXerialMagic)) {
        if (in_.size() < kXerialHeaderSize) return Corrupt("snappy: header");
        in_.remove_prefix(kXerialHeaderSize);
        continue;
      }
      if (in_.size() < sizeof(int32_t)) return Corrupt("snappy: cut off");
      const auto length = LoadBigEndian<uint32_t>(in_.data());
      in_.remove_prefix(sizeof(int32_t));
      if (length > in_.size()) return Corrupt("snappy: block cut off");
      const std::string_view block = in_.substr(0, length);
      in_.remove_prefix(length);
      TM_ASSIGN_OR_RETURN(const std::string_view piece, Block(block));
      if (!piece.empty()) return piece;
    }
    return std::string_view();
  }

 private:
  Result<std::string_view> Block(std::string_view block) {
    if (block.empty() && !framed_ && started_) return std::string_view();
    started_ = true;
    size_t size = 0;
    if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) {
      return Corrupt("snappy: corrupt length");
    }
    if (size > limit_) return Corrupt("snappy: too large");
    // Snappy's densest code stands for 64 bytes in 3: a larger promise is a lie
    // that must not cost the memory.
    if (size / 32 > block.size()) return Corrupt("snappy: corrupt length");
    out_.resize(size);
    if (!snappy::RawUncompress(block.data(), block.size(), out_.data())) {
      return Corrupt("snappy: corrupt block");
    }
    return std::string_view(out_);
  }

  std::string_view in_;
  const size_t limit_;
  const bool framed_;
  bool started_ = false;
  std::string out_;
};

class Lz4 final : public Decompressor {
 public:
  explicit Lz4(std::string_view in) : in_(in), out_(new char[kPiece]) {
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)))
      context_ = nullptr;
  }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }

  Result<std::string_view> Next() override {
    if (context_ == nullptr) return NoContext("lz4");
    while (hint_ != 0 || !in_.empty()) {
      size_t made = kPiece;
      size_t taken = in_.size();
      hint_ = LZ4F_decompress(context_, out_.get(), &made, in_.data(), &taken,
                              nullptr);
      if (LZ4F_isError(hint_)) return Corrupt("lz4: corrupt");
      if (hint_ != 0 && made == 0 && taken == 0) {
        return Corrupt("lz4: cut off");
      }
      in_.remove_prefix(taken);
      if (made > 0) return std::string_view(out_.get(), made);
    }
    return std::string_view();
  }

 private:
  std::string_view in_;
  std::unique_ptr<char[]> out_;
  LZ4F_dctx* context_ = nullptr;
  size_t hint_ = 1;  // 0: at the end of a frame
};

class Zstd final : public Decompressor {
 public:
  explicit Zstd(std::string_view in)
      : in_{in.data(), in.size(), 0},
        out_(new char[kPiece]),
        context_(ZSTD_createDCtx()) {}
  ~Zstd() override { ZSTD_freeDCtx(context_); }

  Result<std::string_view> Next() override {
    if (context_ == nullptr) return NoContext("zstd");
    while (hint_ != 0 || in_.pos < in_.size) {
      ZSTD_outBuffer out{out_.get(), kPiece, 0};
      const size_t before = in_.pos;
      hint_ = ZSTD_decompressStream(context_, &out, &in_);
      if (ZSTD_isError(hint_)) return Corrupt("zstd: corrupt");
      if (hint_ != 0 && out.pos == 0 && in_.pos == before) {
        return Corrupt("zstd: cut off");
      }
      if (out.pos > 0) return std::string_view(out_.get(), out.pos);
    }
    return std::string_view();
  }

 private:
  ZSTD_inBuffer in_;
  std::unique_ptr<char[]> out_;
  ZSTD_DCtx* context_;
  size_t hint_ = 1;  // 0: at the end of a frame
};

}  // namespace

Result<std::unique_ptr<Decompressor>> Decompressor::Open(
    Codec codec, std::string_view compressed, size_t limit) {
  switch (codec) {
    case Codec::kNone:
      return std::make_unique<Plain>(compressed);
    case Codec::kGzip:
      return std::make_unique<Gzip>(compressed);
    case Codec::kSnappy:
      return std::make_unique<Snappy>(compressed, limit);
    case Codec::kLz4:
      return std::make_unique<Lz4>(compressed);
    case Codec::kZstd:
      return std::make_unique<Zstd>(compressed);
  }
  return Fail(ErrorCode::kUnsupportedCompressionType,
              "codec " + std::to_string(static_cast<int>(codec)));
}

}  // namespace tidemark::record
