#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/payload.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::kafka {

// Byte strings from this size on are referenced by an encoded frame, not
// copied into it.
inline constexpr size_t kReferenceFrom = 4096;

// A frame ready for a socket: its chunks in order. Includes the frame's
// 4-byte length in front.
struct EncodedFrame {
  std::vector<Payload> chunks;
  size_t size = 0;  // of all chunks together

  // One copy of everything. REQUIRES: all of it is at hand.
  std::string Flatten() const;
};

// Kafka's longest string, in bytes: lengths are signed 16-bit numbers, and
// compact strings have the same limit.
inline constexpr size_t kMaxStringLength = INT16_MAX;

// Writes Kafka's primitive types. What is written may come from clients, disks
// and peers: a value whose length has no room in its length field is written
// shorter and sticks as a failure, which whoever encodes looks at in the end.
class Encoder {
 public:
  // `flexible`: lengths as unsigned varints, tagged fields (KIP-482).
  Encoder(int16_t version, bool flexible)
      : version_(version), flexible_(flexible) {
    text_.reserve(kUsualSize);
  }

  int16_t version() const { return version_; }
  bool flexible() const { return flexible_; }
  bool ok() const { return error_ == nullptr; }
  // kUnknownServerError with the first failure, if there was one.
  Status status() const;
  void FailWith(const char* reason) {
    if (ok()) error_ = reason;
  }

  void WriteBool(bool value) { WriteInt8(value ? 1 : 0); }
  void WriteInt8(int8_t value);
  void WriteInt16(int16_t value);
  void WriteInt32(int32_t value);
  void WriteInt64(int64_t value);
  void WriteUnsignedVarint(uint32_t value);
  void WriteUuid(const Uuid& id);
  void WriteString(std::string_view text);
  void WriteNullString();
  void WriteBytes(const Payload& bytes);
  void WriteNullBytes();
  void WriteCount(size_t count);
  void WriteNullCount();
  // int16 length whatever the version, as in request headers.
  void WriteOldNullableString(std::optional<std::string_view> text);
  // Bytes that are already encoded.
  void WriteRaw(std::string_view raw) { text_.append(raw); }

  // Everything written, with its length in front; or the first failure.
  Result<EncodedFrame> FinishFrame() &&;
  // Everything written, in one piece, without a length. Look at status() first.
  // REQUIRES: all of it is at hand.
  std::string FinishBytes() &&;

 private:
  // Holds what stands around the records of most requests and answers.
  static constexpr size_t kUsualSize = 256;

  void WriteLength32(size_t length);
  // What of `text` is written.
  std::string_view Fit(std::string_view text);

  std::vector<Payload> done_;
  size_t done_size_ = 0;
  std::string text_;  // what comes after done_
  int16_t version_;
  bool flexible_;
  const char* error_ = nullptr;
};

}  // namespace tidemark::kafka
