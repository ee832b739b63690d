#include "common/kafka/encoder.h"

#include "common/base/utf8.h"
#include "common/record/big_endian.h"
#include "common/record/varint.h"

namespace tidemark::kafka {

std::string EncodedFrame::Flatten() const {
  std::string all;
  all.reserve(size);
  for (const Payload& chunk : chunks) all.append(chunk.bytes().view());
  return all;
}

void Encoder::WriteInt8(int8_t value) {
  record::AppendBigEndian(value, &text_);
}
void Encoder::WriteInt16(int16_t value) {
  record::AppendBigEndian(value, &text_);
}
void Encoder::WriteInt32(int32_t value) {
  record::AppendBigEndian(value, &text_);
}
void Encoder::WriteInt64(int64_t value) {
  record::AppendBigEndian(value, &text_);
}
void Encoder::WriteUnsignedVarint(uint32_t value) {
  record::AppendUnsignedVarint(value, &text_);
}

void Encoder::WriteUuid(const Uuid& id) {
  text_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

Status Encoder::status() const {
  if (ok()) return {};
  return Fail(ErrorCode::kUnknownServerError, error_);
}

void Encoder::WriteLength32(size_t length) {
  if (length >= size_t{INT32_MAX}) {
    FailWith("an array or bytes of 2^31 - 1 or more");
    length = 0;
  }
  if (flexible_) {
    WriteUnsignedVarint(static_cast<uint32_t>(length) + 1);
  } else {
    WriteInt32(static_cast<int32_t>(length));
  }
}

std::string_view Encoder::Fit(std::string_view text) {
  if (text.size() <= kMaxStringLength) return text;
  FailWith("a string longer than 32767 bytes");
  return CutUtf8(text, kMaxStringLength);
}

void Encoder::WriteString(std::string_view text) {
  text = Fit(text);
  if (flexible_) {
    WriteUnsignedVarint(static_cast<uint32_t>(text.size()) + 1);
  } else {
    WriteInt16(static_cast<int16_t>(text.size()));
  }
  text_.append(text);
}

void Encoder::WriteNullString() {
  if (flexible_) {
    WriteUnsignedVarint(0);
  } else {
    WriteInt16(-1);
  }
}

void Encoder::WriteBytes(const Payload& bytes) {
  WriteLength32(bytes.size());
  if (bytes.source() == nullptr && bytes.size() < kReferenceFrom) {
    text_.append(bytes.bytes().view());
    return;
  }
  done_size_ += text_.size() + bytes.size();
  if (!text_.empty()) done_.emplace_back(SharedBytes(std::move(text_)));
  text_ = {};
  done_.push_back(bytes);
}

void Encoder::WriteNullBytes() { WriteNullCount(); }

void Encoder::WriteCount(size_t count) { WriteLength32(count); }

void Encoder::WriteNullCount() {
  if (flexible_) {
    WriteUnsignedVarint(0);
  } else {
    WriteInt32(-1);
  }
}

void Encoder::WriteOldNullableString(std::optional<std::string_view> text) {
  if (!text) {
    WriteInt16(-1);
    return;
  }
  const std::string_view fitting = Fit(*text);
  WriteInt16(static_cast<int16_t>(fitting.size()));
  text_.append(fitting);
}

Result<EncodedFrame> Encoder::FinishFrame() && {
  const size_t size = done_size_ + text_.size();
  if (size > size_t{INT32_MAX}) FailWith("a frame of 2^31 bytes or more");
  if (!ok()) return tidemark::Fail(status().error());
  std::string length;
  record::AppendBigEndian(static_cast<int32_t>(size), &length);
  EncodedFrame frame;
  frame.size = size + length.size();
  if (done_.empty()) {
    text_.insert(0, length);
  } else {
    frame.chunks.reserve(done_.size() + 2);
    frame.chunks.emplace_back(SharedBytes(std::move(length)));
    for (Payload& chunk : done_) frame.chunks.push_back(std::move(chunk));
  }
  if (!text_.empty()) {
    frame.chunks.emplace_back(SharedBytes(std::move(text_)));
  }
  return frame;
}

std::string Encoder::FinishBytes() && {
  if (done_.empty()) return std::move(text_);
  std::string all;
  all.reserve(done_size_ + text_.size());
  for (const Payload& chunk : done_) all.append(chunk.bytes().view());
  all.append(text_);
  return all;
}

}  // namespace tidemark::kafka
