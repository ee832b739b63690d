#include "controller/storage/log_check.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/record/crc32c.h"

namespace tidemark::storage {
namespace {

constexpr size_t kBlock = 32 << 10;
constexpr size_t kHeader = 7;
constexpr size_t kSector = 512;
enum Type : uint8_t { kFull = 1, kFirst = 2, kLast = 4 };

struct Header {
  uint32_t crc = 0;  // as computed, without RocksDB's mask
  size_t length = 0;
  uint8_t type = 0;
};

size_t LeftInBlock(size_t at) { return kBlock - at % kBlock; }

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

Header HeaderAt(std::string_view bytes, size_t at) {
  auto byte = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i]));
  };
  const uint32_t masked =
      (byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24) - 0xa282ead8u;
  return {masked >> 17 | masked << 15, byte(4) | byte(5) << 8,
          static_cast<uint8_t>(bytes[at + 6])};
}

// The end of a record that is whole.
std::optional<size_t> EndOfRecord(std::string_view bytes, size_t at) {
  const size_t room = std::min(LeftInBlock(at), bytes.size() - at);
  if (room < kHeader) return std::nullopt;
  const Header header = HeaderAt(bytes, at);
  if (header.type < kFull || header.type > kLast ||
      kHeader + header.length > room ||
      record::Crc32c(bytes.substr(at + 6, 1 + header.length)) != header.crc)
    return std::nullopt;
  return at + kHeader + header.length;
}

// A write that begins behind `at` was made after the one at `at` was synced.
bool WriteBegins(std::string_view bytes, size_t at) {
  for (; at + kHeader <= bytes.size(); ++at) {
    const auto type = static_cast<uint8_t>(bytes[at + 6]);
    if ((type == kFull || type == kFirst) && EndOfRecord(bytes, at))
      return true;
  }
  return false;
}

// All of the record at `at` is there and only its length is wrong.
bool HasAnotherLength(std::string_view bytes, size_t at) {
  const size_t room = std::min(LeftInBlock(at), bytes.size() - at);
  const Header header = HeaderAt(bytes, at);
  uint32_t crc = record::Crc32c(bytes.substr(at + 6, 1));
  for (size_t end = kHeader; end < room && crc != header.crc; ++end)
    crc = record::ExtendCrc32c(crc, bytes.substr(at + end, 1));
  return crc == header.crc;
}

// A sector that holds nothing of what was written to it. One that begins in
// front of `at` counts from there, if that takes the whole checksum, which is
// hardly ever zero.
bool LacksASector(std::string_view bytes, size_t at) {
  const size_t next = (at / kSector + 1) * kSector;
  if (at % kSector != 0 && next < bytes.size() && next - at >= 4 &&
      IsZero(bytes.substr(at, next - at)))
    return true;
  for (size_t from = at % kSector == 0 ? at : next;
       from + kSector <= bytes.size(); from += kSector) {
    if (IsZero(bytes.substr(from, kSector))) return true;
  }
  return false;
}

// The file ends in the record at `at`.
bool IsCut(std::string_view bytes, size_t at) {
  const size_t left = bytes.size() - at;
  if (left < kHeader) return true;
  const Header header = HeaderAt(bytes, at);
  return header.type >= kFull && header.type <= kLast &&
         kHeader + header.length > left &&
         kHeader + header.length <= LeftInBlock(at) &&
         !HasAnotherLength(bytes, at);
}

LogVerdict::Kind Judge(std::string_view bytes, size_t at) {
  using Kind = LogVerdict::Kind;
  if (WriteBegins(bytes, at + 1)) return Kind::kDamaged;
  if (IsCut(bytes, at)) return Kind::kCut;
  return LacksASector(bytes, at) ? Kind::kTorn : Kind::kDamaged;
}

}  // namespace

LogVerdict CheckLog(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (LeftInBlock(at) < kHeader) {
      at += LeftInBlock(at);
      continue;
    }
    const auto end = EndOfRecord(bytes, at);
    if (!end) {
      if (IsZero(bytes.substr(at))) return {LogVerdict::Kind::kTorn, at};
      return {Judge(bytes, at), at};
    }
    at = *end;
  }
  return {};
}

}  // namespace tidemark::storage
