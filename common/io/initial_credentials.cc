#include "common/io/initial_credentials.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/io/meta_properties.h"

namespace tidemark::io {
namespace {

constexpr char kCredentialsFile[] = "initial-credentials";
constexpr std::string_view kDigits = "0123456789abcdef";

std::string ToHex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> FromHex(const std::string& text) {
  if (text.empty() || text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]), low = kDigits.find(text[i + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::optional<InitialCredential> Parse(const std::string& line) {
  std::istringstream words(line);
  InitialCredential out;
  std::string user, salt, stored, server, more;
  words >> out.mechanism >> out.iterations >> user >> salt >> stored >> server;
  if (!words || words >> more) return std::nullopt;
  for (const auto& [from, to] :
       {std::pair(&user, &out.user), std::pair(&salt, &out.salt),
        std::pair(&stored, &out.stored_key),
        std::pair(&server, &out.server_key)}) {
    auto bytes = FromHex(*from);
    if (!bytes) return std::nullopt;
    *to = std::move(*bytes);
  }
  return out;
}

}  // namespace

Status SaveInitialCredentials(const std::string& directory,
                              const std::vector<InitialCredential>& all) {
  std::ostringstream text;
  for (const InitialCredential& one : all) {
    text << one.mechanism << ' ' << one.iterations << ' ' << ToHex(one.user)
         << ' ' << ToHex(one.salt) << ' ' << ToHex(one.stored_key) << ' '
         << ToHex(one.server_key) << '\n';
  }
  return WriteFileDurably(directory, kCredentialsFile, text.str(),
                          Readers::kOwner);
}

Result<std::vector<InitialCredential>> LoadInitialCredentials(
    const std::string& directory) {
  const auto path = std::filesystem::path(directory) / kCredentialsFile;
  std::vector<InitialCredential> out;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    auto parsed = Parse(line);
    if (!parsed) {
      return Fail(ErrorCode::kInvalidConfig,
                  path.string() +
                      " is damaged; with whom a new cluster begins is all that "
                      "it says");
    }
    out.push_back(std::move(*parsed));
  }
  if (!in.eof()) {
    return Fail(ErrorCode::kKafkaStorageError, "cannot read " + path.string());
  }
  return out;
}

}  // namespace tidemark::io
