#include "common/io/initial_voters.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "common/io/meta_properties.h"

namespace tidemark::io {
namespace {

constexpr char kVotersFile[] = "initial-voters";

template <class Number>
bool ParseWhole(std::string_view text, Number* out) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() &&
         !text.empty();
}

// "id@host:port:directory-id".
std::optional<InitialVoter> ParseOne(std::string_view text) {
  InitialVoter voter;
  const size_t at = text.find('@');
  const size_t last = text.rfind(':');
  if (at == text.npos || last == text.npos || last <= at) return std::nullopt;
  const size_t middle = text.rfind(':', last - 1);
  if (middle == text.npos || middle <= at) return std::nullopt;
  std::string_view host = text.substr(at + 1, middle - at - 1);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  voter.host = std::string(host);
  const auto directory = Uuid::Parse(text.substr(last + 1));
  if (!ParseWhole(text.substr(0, at), &voter.id) || voter.id < 0 ||
      !ParseWhole(text.substr(middle + 1, last - middle - 1), &voter.port) ||
      voter.port == 0 || host.empty() || host.size() > 255 || !directory ||
      directory->IsZero())
    return std::nullopt;
  voter.directory = *directory;
  return voter;
}

}  // namespace

Result<std::vector<InitialVoter>> ParseInitialVoters(const std::string& text) {
  std::vector<InitialVoter> voters;
  std::set<NodeId> ids;
  std::set<Uuid> directories;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');) {
    auto voter = ParseOne(one);
    if (!voter || !ids.insert(voter->id).second ||
        !directories.insert(voter->directory).second)
      return Fail(ErrorCode::kInvalidConfig,
                  "'" + one +
                      "' is no controller to begin with: want "
                      "id@host:port:directory-id,... with different ids and "
                      "directories (tidemark storage random-uuid makes one)");
    voters.push_back(std::move(*voter));
  }
  if (voters.empty())
    return Fail(ErrorCode::kInvalidConfig, "no controllers to begin with");
  return voters;
}

std::string ToString(const std::vector<InitialVoter>& voters) {
  std::string text;
  for (const InitialVoter& voter : voters) {
    const bool v6 = voter.host.find(':') != std::string::npos;
    text += (text.empty() ? "" : ",") + std::to_string(voter.id) + "@" +
            (v6 ? "[" + voter.host + "]" : voter.host) + ":" +
            std::to_string(voter.port) + ":" + ToString(voter.directory);
  }
  return text;
}

Status SaveInitialVoters(const std::string& directory,
                         const std::vector<InitialVoter>& voters) {
  return WriteFileDurably(directory, kVotersFile, ToString(voters) + "\n");
}

Result<std::vector<InitialVoter>> LoadInitialVoters(
    const std::string& directory) {
  std::error_code error;
  const std::string path = directory + "/" + kVotersFile;
  if (!std::filesystem::exists(path, error)) return std::vector<InitialVoter>();
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line))
    return Fail(ErrorCode::kKafkaStorageError, "cannot read " + path);
  return ParseInitialVoters(line);
}

}  // namespace tidemark::io
