#include "common/metadata/throttled_replicas.h"

#include <charconv>
#include <optional>
#include <string>

namespace tidemark::metadata {
namespace {

struct Replica {
  PartitionIndex partition;
  NodeId broker;
};

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<int32_t> ToNumber(std::string_view text) {
  int32_t out = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc() || stop != end || out < 0) return std::nullopt;
  return out;
}

std::optional<Replica> Parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto partition = ToNumber(text.substr(0, colon));
  const auto broker = ToNumber(text.substr(colon + 1));
  if (!partition || !broker) return std::nullopt;
  return Replica{*partition, *broker};
}

// Calls visit(part) for each part between commas as long as it returns true.
template <class Visit>
bool ForEach(std::string_view value, const Visit& visit) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    if (!visit(Trim(value.substr(0, comma)))) return false;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return true;
}

}  // namespace

Status CheckThrottledReplicas(std::string_view key, std::string_view value) {
  if (Trim(value) == "*") return {};
  const bool good = ForEach(
      value, [](std::string_view part) { return Parse(part).has_value(); });
  if (good) return {};
  return Fail(ErrorCode::kInvalidConfig,
              std::string(key) +
                  " must be the literal '*' or a list of replicas in the "
                  "following format: [partitionId]:[brokerId],[partitionId]:"
                  "[brokerId],...");
}

bool IsThrottledReplica(std::string_view value, PartitionIndex partition,
                        NodeId broker) {
  if (Trim(value) == "*") return true;
  return !ForEach(value, [&](std::string_view part) {
    const auto replica = Parse(part);
    return !replica || replica->partition != partition ||
           replica->broker != broker;
  });
}

}  // namespace tidemark::metadata
