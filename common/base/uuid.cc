#include "common/base/uuid.h"

#include <algorithm>
#include <random>

namespace tidemark {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

Uuid Uuid::Random() {
  static thread_local std::random_device device;
  Uuid id;
  do {
    for (size_t i = 0; i < id.bytes.size(); i += 4) {
      uint32_t word = device();
      std::memcpy(&id.bytes[i], &word, 4);
    }
    id.bytes[6] = (id.bytes[6] & 0x0f) | 0x40;
    id.bytes[8] = (id.bytes[8] & 0x3f) | 0x80;
  } while (ToString(id).front() == '-');
  return id;
}

std::optional<Uuid> Uuid::FromBytes(std::string_view raw) {
  Uuid id;
  if (raw.size() != id.bytes.size()) return std::nullopt;
  std::memcpy(id.bytes.data(), raw.data(), raw.size());
  return id;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  Uuid id;
  uint32_t bits = 0;
  int count = 0;
  size_t out = 0;
  for (char c : text) {
    size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8 && out < id.bytes.size()) {
      count -= 8;
      id.bytes[out++] = static_cast<uint8_t>(bits >> count);
    }
  }
  return id;
}

std::string ToString(const Uuid& id) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (uint8_t byte : id.bytes) {
    bits = (bits << 8) | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[(bits >> count) & 63];
    }
  }
  if (count > 0) out += kAlphabet[(bits << (6 - count)) & 63];
  return out;
}

}  // namespace tidemark
