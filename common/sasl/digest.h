#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::sasl {

enum class Hash : uint8_t { kSha256, kSha512 };

size_t DigestBytes(Hash hash);
std::string Digest(Hash hash, std::string_view text);
std::string Hmac(Hash hash, std::string_view key, std::string_view text);
// RFC 5802's Hi: PBKDF2 with HMAC, one block. Work of a client.
std::string Pbkdf2(Hash hash, std::string_view password, std::string_view salt,
                   int iterations);

// In a time that does not depend on where they differ.
bool SameSecret(std::string_view a, std::string_view b);

std::string ToBase64(std::string_view bytes);
// nullopt: it is none, padding included.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace tidemark::sasl
