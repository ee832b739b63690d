#include "controller/metadata/topic_name.h"

#include <algorithm>

namespace tidemark::controller {
namespace {

constexpr size_t kMaxLength = 249;

bool Legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Status CheckTopicName(std::string_view name) {
  auto fail = [](std::string why) {
    return Fail(ErrorCode::kInvalidTopicException,
                "Topic name is invalid: " + why);
  };
  if (name.empty()) return fail("the empty string is not allowed");
  if (name == "." || name == "..") return fail("it cannot be '.' or '..'");
  if (name.size() > kMaxLength) {
    return fail("the length of a name cannot be longer than 249");
  }
  if (!std::all_of(name.begin(), name.end(), Legal)) {
    return fail(
        "it contains one or more characters other than ASCII alphanumerics, "
        "'.', '_' and '-'");
  }
  return {};
}

}  // namespace tidemark::controller
