#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::log {

// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein). Whoever does
// not know the secret cannot make two keys that meet.
struct KeyHash {
  struct Secret {
    uint64_t k0 = 0;
    uint64_t k1 = 0;
  };
  static Secret RandomSecret();
  static KeyHash Of(std::string_view key, const Secret& secret);

  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const KeyHash&) const = default;
};

}  // namespace tidemark::log
