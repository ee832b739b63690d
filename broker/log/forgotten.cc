#include "broker/log/forgotten.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>

#include "common/base/uuid.h"

namespace tidemark::log {
namespace {

constexpr std::string_view kPrefix = "forgotten-";
constexpr size_t kDigits = 16;

std::optional<int64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() ||
      value > INT64_MAX) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

}  // namespace

Forgotten ForgetBelow(Offset below) {
  const size_t id = std::hash<Uuid>()(Uuid::Random());
  return {below, std::max<int64_t>(1, static_cast<int64_t>(id & INT64_MAX))};
}

std::string ForgottenFileName(const Forgotten& forgotten) {
  char text[2 * kDigits + 2];
  std::snprintf(text, sizeof text, "%016llx-%016llx",
                static_cast<unsigned long long>(forgotten.below),
                static_cast<unsigned long long>(forgotten.id));
  return std::string(kPrefix) + text;
}

std::optional<Forgotten> ParseForgottenFileName(std::string_view name) {
  if (name.size() != kPrefix.size() + 2 * kDigits + 1 ||
      !name.starts_with(kPrefix) || name[kPrefix.size() + kDigits] != '-') {
    return std::nullopt;
  }
  const auto below = ParseHex(name.substr(kPrefix.size(), kDigits));
  const auto id = ParseHex(name.substr(kPrefix.size() + kDigits + 1));
  if (!below || !id || *id == 0) return std::nullopt;
  return Forgotten{*below, *id};
}

Forgotten Either(const Forgotten& a, const Forgotten& b) {
  return {std::max(a.below, b.below), std::max<int64_t>(1, a.id ^ b.id)};
}

}  // namespace tidemark::log
