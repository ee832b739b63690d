#include "common/kafka/decoder.h"

#include <algorithm>

#include "common/kafka/encoder.h"
#include "common/record/big_endian.h"
#include "common/record/varint.h"

namespace tidemark::kafka {
Status Decoder::status() const {
  if (ok()) return {};
  return Fail(ErrorCode::kInvalidRequest, error_);
}

std::string_view Decoder::Take(size_t count) {
  if (count > remaining()) {
    FailWith("message ends early");
    return {};
  }
  const std::string_view taken = frame_.view().substr(at_, count);
  at_ += count;
  return taken;
}

template <class T>
T Decoder::ReadFixed() {
  const std::string_view raw = Take(sizeof(T));
  return raw.empty() ? T{} : record::LoadBigEndian<T>(raw.data());
}

bool Decoder::ReadBool() { return ReadFixed<int8_t>() != 0; }
int8_t Decoder::ReadInt8() { return ReadFixed<int8_t>(); }
int16_t Decoder::ReadInt16() { return ReadFixed<int16_t>(); }
int32_t Decoder::ReadInt32() { return ReadFixed<int32_t>(); }
int64_t Decoder::ReadInt64() { return ReadFixed<int64_t>(); }

uint32_t Decoder::ReadUnsignedVarint() {
  std::string_view rest = frame_.view().substr(at_, remaining());
  const size_t before = rest.size();
  uint32_t value = 0;
  if (!record::ReadUnsignedVarint32(&rest, &value)) {
    FailWith("varint cut off or too large");
    return 0;
  }
  at_ += before - rest.size();
  return value;
}

Uuid Decoder::ReadUuid() {
  Uuid id;
  const std::string_view raw = Take(id.bytes.size());
  std::copy(raw.begin(), raw.end(), id.bytes.begin());
  return id;
}

std::optional<std::string> Decoder::ReadNullableString() {
  if (!flexible_) return ReadOldNullableString();
  const uint32_t length = ReadUnsignedVarint();
  if (length == 0) return std::nullopt;
  if (length - 1 > kMaxStringLength) {
    FailWith("string longer than 32767 bytes");
    return std::nullopt;
  }
  const std::string_view text = Take(length - 1);
  if (!ok()) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> Decoder::ReadOldNullableString() {
  const int16_t length = ReadInt16();
  if (length < 0) {
    if (length != -1) FailWith("negative string length");
    return std::nullopt;
  }
  const std::string_view text = Take(static_cast<size_t>(length));
  if (!ok()) return std::nullopt;
  return std::string(text);
}

std::optional<SharedBytes> Decoder::ReadNullableBytes() {
  size_t length = 0;
  if (flexible_) {
    const uint32_t plus_one = ReadUnsignedVarint();
    if (plus_one == 0) return std::nullopt;
    length = plus_one - 1;
  } else {
    const int32_t plain = ReadInt32();
    if (plain < 0) {
      if (plain != -1) FailWith("negative length of bytes");
      return std::nullopt;
    }
    length = static_cast<size_t>(plain);
  }
  const size_t from = at_;
  Take(length);
  if (!ok()) return std::nullopt;
  return frame_.Slice(from, length);
}

std::optional<uint32_t> Decoder::ReadNullableCount() {
  uint32_t count = 0;
  if (flexible_) {
    const uint32_t plus_one = ReadUnsignedVarint();
    if (plus_one == 0) return std::nullopt;
    count = plus_one - 1;
  } else {
    const int32_t plain = ReadInt32();
    if (plain < 0) {
      if (plain != -1) FailWith("negative array count");
      return std::nullopt;
    }
    count = static_cast<uint32_t>(plain);
  }
  if (!ok()) return std::nullopt;
  // Every element takes at least one byte.
  if (count > remaining()) {
    FailWith("array count larger than the message");
    return std::nullopt;
  }
  return count;
}

void Decoder::SkipTaggedFields() {
  const uint32_t count = ReadUnsignedVarint();
  for (uint32_t i = 0; i < count && ok(); ++i) {
    ReadUnsignedVarint();
    Skip(ReadUnsignedVarint());
  }
}

void Decoder::Skip(size_t count) { Take(count); }

size_t Decoder::PushLimit(size_t count) {
  const size_t outer_end = end_;
  if (count > remaining()) {
    FailWith("tagged field longer than the message");
  } else {
    end_ = at_ + count;
  }
  return outer_end;
}

void Decoder::PopLimit(size_t outer_end) {
  if (at_ != end_) FailWith("tagged field longer than its content");
  end_ = outer_end;
  if (!ok()) at_ = end_;
}

}  // namespace tidemark::kafka
