#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/base/uuid.h"

namespace tidemark::kafka {

// Reads Kafka's primitive types off the front of a frame.
//
// The input is hostile. The first failure sticks: every later read returns
// zero or the empty value and moves nothing, so that callers check status()
// once at the end and inside loops. No read allocates more than a small
// multiple of the bytes that are there, and the elements of arrays, which take
// more memory than their encoding, have a bound of their own.
class Decoder {
 public:
  // Memory for array elements: four times the message's size and kFreeElements,
  // but never more than kMostElements, which is half a million topics.
  static constexpr size_t kFreeElements = size_t{4} << 20;
  static constexpr size_t kMostElements = size_t{32} << 20;

  // `flexible`: lengths as unsigned varints, tagged fields (KIP-482).
  Decoder(SharedBytes frame, int16_t version, bool flexible)
      : frame_(std::move(frame)),
        end_(frame_.size()),
        max_elements_(
            std::min(4 * frame_.size() + kFreeElements, kMostElements)),
        version_(version),
        flexible_(flexible) {}

  int16_t version() const { return version_; }
  bool flexible() const { return flexible_; }
  bool ok() const { return error_ == nullptr; }
  size_t position() const { return at_; }
  size_t remaining() const { return end_ - at_; }
  // kInvalidRequest with the first failure, if there was one.
  Status status() const;
  void FailWith(const char* reason) {
    if (ok()) error_ = reason;
    at_ = end_;
  }

  bool ReadBool();
  int8_t ReadInt8();
  int16_t ReadInt16();
  int32_t ReadInt32();
  int64_t ReadInt64();
  uint32_t ReadUnsignedVarint();
  Uuid ReadUuid();
  // nullopt: null, or a failure.
  std::optional<std::string> ReadNullableString();
  std::optional<SharedBytes> ReadNullableBytes();
  // The element count of an array, at most the number of bytes left.
  std::optional<uint32_t> ReadNullableCount();
  // int16 length whatever the version, as in request headers.
  std::optional<std::string> ReadOldNullableString();
  // An element that takes `size` bytes in memory is about to be read.
  void CountElement(size_t size) {
    elements_ += size;
    if (elements_ > max_elements_) FailWith("too many elements in arrays");
  }
  // Bytes of all elements so far.
  size_t elements() const { return elements_; }
  void SkipTaggedFields();
  void Skip(size_t count);

  // Restricts reading to the next `count` bytes until PopLimit, which fails
  // when some of them were not read.
  size_t PushLimit(size_t count);
  void PopLimit(size_t outer_end);

 private:
  template <class T>
  T ReadFixed();
  std::string_view Take(size_t count);

  SharedBytes frame_;
  size_t at_ = 0;
  size_t end_;
  size_t elements_ = 0;
  size_t max_elements_;
  int16_t version_;
  bool flexible_;
  const char* error_ = nullptr;
};

}  // namespace tidemark::kafka
