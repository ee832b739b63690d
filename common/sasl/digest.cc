#include "common/sasl/digest.h"

#include <glog/logging.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tidemark::sasl {
namespace {

const EVP_MD* Of(Hash hash) {
  return hash == Hash::kSha256 ? EVP_sha256() : EVP_sha512();
}

unsigned char* Bytes(std::string* text) {
  return reinterpret_cast<unsigned char*>(text->data());
}
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

size_t DigestBytes(Hash hash) { return hash == Hash::kSha256 ? 32 : 64; }

// These fail only where there is no memory.
std::string Digest(Hash hash, std::string_view text) {
  std::string out(DigestBytes(hash), '\0');
  CHECK_EQ(EVP_Digest(text.data(), text.size(), Bytes(&out), nullptr, Of(hash),
                      nullptr),
           1);
  return out;
}

std::string Hmac(Hash hash, std::string_view key, std::string_view text) {
  std::string out(DigestBytes(hash), '\0');
  CHECK(HMAC(Of(hash), key.data(), static_cast<int>(key.size()), Bytes(text),
             text.size(), Bytes(&out), nullptr) != nullptr);
  return out;
}

std::string Pbkdf2(Hash hash, std::string_view password, std::string_view salt,
                   int iterations) {
  std::string out(DigestBytes(hash), '\0');
  CHECK_EQ(
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                        Bytes(salt), static_cast<int>(salt.size()), iterations,
                        Of(hash), static_cast<int>(out.size()), Bytes(&out)),
      1);
  return out;
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string ToBase64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(Bytes(&out), Bytes(bytes),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

// EVP_DecodeBlock passes over white space, and leaves padding in the output.
std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > INT32_MAX) return std::nullopt;
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  size_t padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' && i + 2 >= text.size()) {
      ++padding;
    } else if (padding > 0 || !is_digit(text[i])) {
      return std::nullopt;
    }
  }
  std::string out(text.size() / 4 * 3, '\0');
  if (!text.empty() && EVP_DecodeBlock(Bytes(&out), Bytes(text),
                                       static_cast<int>(text.size())) < 0) {
    return std::nullopt;
  }
  out.resize(out.size() - padding);
  return out;
}

}  // namespace tidemark::sasl
