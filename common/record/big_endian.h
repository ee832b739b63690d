#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>

// Fixed-width integers in network order, as Kafka's messages and batches hold
// them. No bounds checks: the caller knows that the bytes are there. Pure.
namespace tidemark::record {

template <std::integral T>
T SwapToBigEndian(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  } else {
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  }
}

template <std::integral T>
T LoadBigEndian(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return SwapToBigEndian(value);
}

template <std::integral T>
void StoreBigEndian(T value, char* to) {
  value = SwapToBigEndian(value);
  std::memcpy(to, &value, sizeof value);
}

template <std::integral T>
void AppendBigEndian(T value, std::string* out) {
  value = SwapToBigEndian(value);
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace tidemark::record
