#pragma once

#include <cstddef>
#include <string_view>

namespace tidemark {

// The longest front of `text` that has at most `max_bytes` bytes and does not
// end inside a UTF-8 character. Bytes that are not UTF-8 are cut anywhere.
constexpr std::string_view CutUtf8(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  constexpr size_t kLongestCharacter = 4;
  for (size_t back = 0; back < kLongestCharacter && back < max_bytes; ++back) {
    const auto next = static_cast<unsigned char>(text[max_bytes - back]);
    if ((next & 0xC0) != 0x80) return text.substr(0, max_bytes - back);
  }
  return text.substr(0, max_bytes);
}

// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing
// above U+10FFFF. What is not may not enter a proto3 `string`: the receiver
// would refuse the whole message for it.
bool IsUtf8(std::string_view text);

}  // namespace tidemark
