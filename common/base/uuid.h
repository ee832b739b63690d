#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

// A 128-bit id of a topic, directory, cluster or process incarnation. Zero
// means "none". Text form: Kafka's 22 characters of URL-safe base64.
struct Uuid {
  std::array<uint8_t, 16> bytes{};

  bool IsZero() const { return *this == Uuid{}; }
  auto operator<=>(const Uuid&) const = default;

  // A version 4 UUID from 16 random bytes, never one whose text form starts
  // with '-' (command lines would read it as a flag).
  static Uuid Random();
  static std::optional<Uuid> Parse(std::string_view text);
  // From the 16 raw bytes that protobuf fields carry; nullopt when not 16.
  static std::optional<Uuid> FromBytes(std::string_view raw);
  std::string ToBytes() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

std::string ToString(const Uuid& id);

}  // namespace tidemark

template <>
struct std::hash<tidemark::Uuid> {
  size_t operator()(const tidemark::Uuid& id) const {
    uint64_t half[2];
    std::memcpy(half, id.bytes.data(), sizeof half);
    return half[0] ^ (half[1] * 0x9e3779b97f4a7c15ull);
  }
};
