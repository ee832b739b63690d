#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Variable-length integers of Kafka's records and flexible messages: seven
// bits a byte, least significant group first. Signed values are zig-zag coded
// (0, -1, 1, -2 ... become 0, 1, 2, 3 ...). Pure.
namespace tidemark::record {

inline constexpr size_t kMaxVarintBytes = 10;

inline void AppendUnsignedVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

inline void AppendVarint(int64_t value, std::string* out) {
  AppendUnsignedVarint(
      (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63),
      out);
}

inline size_t UnsignedVarintSize(uint64_t value) {
  size_t size = 1;
  while (value >>= 7) ++size;
  return size;
}

inline size_t VarintSize(int64_t value) {
  return UnsignedVarintSize((static_cast<uint64_t>(value) << 1) ^
                            static_cast<uint64_t>(value >> 63));
}

// The readers take the number off the front of `in`. False, with `in` and
// `value` as they were, when `in` ends early or the number needs more bits
// than the type has.
inline bool ReadUnsignedVarint64(std::string_view* in, uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < in->size() && i < kMaxVarintBytes; ++i) {
    const auto byte = static_cast<uint8_t>((*in)[i]);
    if (i == kMaxVarintBytes - 1 && byte > 1) return false;
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

inline bool ReadUnsignedVarint32(std::string_view* in, uint32_t* value) {
  std::string_view rest = *in;
  uint64_t wide = 0;
  if (!ReadUnsignedVarint64(&rest, &wide) || wide > UINT32_MAX) return false;
  *in = rest;
  *value = static_cast<uint32_t>(wide);
  return true;
}

inline bool ReadVarint64(std::string_view* in, int64_t* value) {
  uint64_t raw = 0;
  if (!ReadUnsignedVarint64(in, &raw)) return false;
  *value = static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
  return true;
}

inline bool ReadVarint32(std::string_view* in, int32_t* value) {
  uint32_t raw = 0;
  if (!ReadUnsignedVarint32(in, &raw)) return false;
  *value = static_cast<int32_t>(raw >> 1) ^ -static_cast<int32_t>(raw & 1);
  return true;
}

}  // namespace tidemark::record
