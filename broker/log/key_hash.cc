#include "broker/log/key_hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace tidemark::log {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
  uint64_t Finish() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

// Little-endian, zeros behind the end.
uint64_t Word(std::string_view bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    word |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return word;
}

}  // namespace

KeyHash::Secret KeyHash::RandomSecret() {
  std::random_device random;
  const auto word = [&] {
    return static_cast<uint64_t>(random()) << 32 | random();
  };
  return {word(), word()};
}

KeyHash KeyHash::Of(std::string_view key, const Secret& secret) {
  State state{secret.k0 ^ 0x736f6d6570736575u,
              secret.k1 ^ 0x646f72616e646f6du ^ 0xee,
              secret.k0 ^ 0x6c7967656e657261u, secret.k1 ^ 0x7465646279746573u};
  const uint64_t length = key.size();
  for (; key.size() >= 8; key.remove_prefix(8)) {
    uint64_t word = 0;
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(&word, key.data(), sizeof word);
    state.Take(word);
  }
  state.Take(length << 56 | Word(key));
  state.v2 ^= 0xee;
  KeyHash hash;
  hash.low = state.Finish();
  state.v1 ^= 0xdd;
  hash.high = state.Finish();
  return hash;
}

}  // namespace tidemark::log
