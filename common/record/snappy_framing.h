#pragma once

#include <cstddef>
#include <string_view>

// The framing of xerial's Java library, which every Kafka client reads: a
// header, then blocks of snappy with their int32 length in front.
namespace tidemark::record {

inline constexpr std::string_view kXerialMagic{"\x82SNAPPY\0", 8};
inline constexpr size_t kXerialHeaderSize = 16;  // magic, version, compatible

}  // namespace tidemark::record
