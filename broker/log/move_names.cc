#include "broker/log/move_names.h"

#include <algorithm>
#include <cctype>

#include "broker/log/log_directory.h"
#include "common/base/uuid.h"

namespace tidemark::log {
namespace {

constexpr std::string_view kFutureSuffix = "-future";
constexpr size_t kHexDigits = 32;

}  // namespace

std::string NewFutureName(const TopicPartition& partition) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name = ToString(partition) + ".";
  for (const char byte : Uuid::Random().ToBytes()) {
    name += kDigits[static_cast<unsigned char>(byte) >> 4];
    name += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return name.append(kFutureSuffix);
}

std::optional<TopicPartition> ParseFutureName(std::string_view name) {
  if (!name.ends_with(kFutureSuffix)) return std::nullopt;
  name.remove_suffix(kFutureSuffix.size());
  if (name.size() <= kHexDigits + 1) return std::nullopt;
  const std::string_view digits = name.substr(name.size() - kHexDigits);
  name.remove_suffix(kHexDigits);
  if (!name.ends_with('.') ||
      !std::all_of(digits.begin(), digits.end(),
                   [](unsigned char c) { return std::isxdigit(c) != 0; })) {
    return std::nullopt;
  }
  name.remove_suffix(1);
  return ParsePartitionDirectory(name);
}

}  // namespace tidemark::log
