#include "common/metadata/client_match.h"

#include <re2/re2.h>

#include <algorithm>

#include "common/base/pattern.h"

namespace tidemark::metadata {
namespace {

constexpr std::string_view kKnown[] = {
    "client_instance_id",    "client_id",
    "client_software_name",  "client_software_version",
    "client_source_address", "client_source_port"};

std::string_view Trim(std::string_view text) {
  const auto from = text.find_first_not_of(' ');
  if (from == std::string_view::npos) return "";
  return text.substr(from, text.find_last_not_of(' ') - from + 1);
}

Result<ClientMatch> ParseOne(std::string_view text) {
  const auto at = text.find('=');
  ClientMatch match;
  if (at != std::string_view::npos) {
    match.what = Trim(text.substr(0, at));
    match.pattern = CompilePattern(std::string(Trim(text.substr(at + 1))));
  }
  if (std::ranges::count(kKnown, match.what) == 0 || match.pattern == nullptr) {
    return Fail(ErrorCode::kInvalidConfig,
                "Illegal client matching pattern: " + std::string(text));
  }
  return match;
}

}  // namespace

Result<std::vector<ClientMatch>> ParseClientMatch(std::string_view value) {
  std::vector<ClientMatch> all;
  while (!value.empty()) {
    const auto end = std::min(value.find(','), value.size());
    const std::string_view one = Trim(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    if (one.empty()) continue;
    TM_ASSIGN_OR_RETURN(all.emplace_back(), ParseOne(one));
  }
  return all;
}

}  // namespace tidemark::metadata
