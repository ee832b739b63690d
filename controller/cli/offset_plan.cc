#include "controller/cli/offset_plan.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <sstream>

#include "controller/cli/command.h"

namespace tidemark::cli {
namespace {

std::optional<int64_t> ToNumber(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Error Unreadable(const std::string& what, const std::string& text,
                 const std::string& form) {
  return {ErrorCode::kInvalidRequest,
          "'" + text + "' is no " + what + ": " + form};
}

// Seconds of "Z", "+01:00", "-0530"; nullopt: something else.
std::optional<int64_t> ZoneSeconds(std::string zone) {
  if (zone.empty() || zone == "Z") return 0;
  const int sign = zone[0] == '-' ? -1 : 1;
  if (zone[0] != '+' && zone[0] != '-') return std::nullopt;
  std::erase(zone, ':');
  if (zone.size() != 5) return std::nullopt;
  const auto hours = ToNumber(zone.substr(1, 2));
  const auto minutes = ToNumber(zone.substr(3, 2));
  if (!hours || !minutes || *hours > 18 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

std::optional<int64_t> MillisecondsOf(char unit) {
  switch (unit) {
    case 'd':
    case 'D':
      return 86'400'000;
    case 'h':
    case 'H':
      return 3'600'000;
    case 'm':
    case 'M':
      return 60'000;
    case 's':
    case 'S':
      return 1'000;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<int64_t> PlannedOffset(const OffsetTarget& target,
                                     const OffsetRange& range) {
  const auto in_range = [&](int64_t offset) {
    return std::clamp(offset, range.start, std::max(range.start, range.end));
  };
  if (target.earliest) return range.start;
  if (target.latest) return range.end;
  if (target.offset) return in_range(*target.offset);
  if (target.timestamp_ms) {
    const int64_t found = range.at_timestamp.value_or(-1);
    return found < 0 ? range.end : in_range(found);
  }
  if (range.committed < 0) {
    // As Kafka's tool: who has nothing goes to the end, and is not shifted.
    if (target.current) return range.end;
    return std::nullopt;
  }
  if (target.current) return in_range(range.committed);
  if (target.shift) {
    int64_t moved = 0;
    if (__builtin_add_overflow(range.committed, *target.shift, &moved)) {
      moved = *target.shift < 0 ? INT64_MIN : INT64_MAX;
    }
    return in_range(moved);
  }
  return std::nullopt;
}

Result<TopicScope> ParseScope(const std::string& text) {
  const size_t colon = text.find(':');
  TopicScope scope;
  scope.topic = text.substr(0, colon);
  if (scope.topic.empty()) {
    return Fail(Unreadable("topic", text, "write TOPIC or TOPIC:0,1"));
  }
  if (colon == std::string::npos) return scope;
  for (const std::string& one : SplitList(text.substr(colon + 1), ',')) {
    const auto number = ToNumber(one);
    if (!number || *number < 0 || *number > INT32_MAX) {
      return Fail(Unreadable("partition", one, "write TOPIC:0,1"));
    }
    scope.partitions.push_back(static_cast<int32_t>(*number));
  }
  if (scope.partitions.empty()) {
    return Fail(Unreadable("topic", text, "write TOPIC or TOPIC:0,1"));
  }
  return scope;
}

Result<int64_t> ParseTime(const std::string& text) {
  const Error bad = Unreadable("time", text,
                               "write 2026-11-27T05:49:00.000, UTC, or with Z "
                               "or +01:00 behind it");
  std::tm tm{};
  int used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year,
                  &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
                  &used) != 6 ||
      tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
      tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60) {
    return Fail(bad);
  }
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  std::string rest = text.substr(static_cast<size_t>(used));
  int64_t milliseconds = 0;
  if (!rest.empty() && rest[0] == '.') {
    const size_t end =
        std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    std::string digits = rest.substr(1, end - 1);
    if (digits.empty()) return Fail(bad);
    digits.resize(3, '0');
    milliseconds = *ToNumber(digits);
    rest = rest.substr(end);
  }
  const auto zone = ZoneSeconds(rest);
  if (!zone) return Fail(bad);
  return (static_cast<int64_t>(timegm(&tm)) - *zone) * 1000 + milliseconds;
}

Result<int64_t> ParseDuration(const std::string& text) {
  const Error bad =
      Unreadable("duration", text, "write 90m, 36h, 7d or P1DT2H30M");
  const bool iso = !text.empty() && text[0] == 'P';
  int64_t total = 0;
  std::string digits;
  bool in_time = !iso, any = false;
  for (size_t i = iso ? 1 : 0; i < text.size(); ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      digits += text[i];
      continue;
    }
    if (iso && text[i] == 'T' && digits.empty() && !in_time) {
      in_time = true;
      continue;
    }
    const auto unit = MillisecondsOf(text[i]);
    const bool is_days = unit == 86'400'000;
    const auto number = ToNumber(digits);
    int64_t part = 0;
    // Of a date part only days have a length.
    if (!unit || !number || (iso && is_days == in_time) ||
        __builtin_mul_overflow(*number, *unit, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return Fail(bad);
    }
    digits.clear();
    any = true;
  }
  if (!any || !digits.empty()) return Fail(bad);
  return total;
}

Result<std::vector<std::pair<TopicPartition, int64_t>>> ParseOffsetFile(
    const std::string& text) {
  std::vector<std::pair<TopicPartition, int64_t>> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    std::vector<std::string> words = SplitList(line, ',');
    for (std::string& word : words) std::erase(word, '"');
    const auto partition =
        words.size() == 3 ? ToNumber(words[1]) : std::nullopt;
    const auto offset = words.size() == 3 ? ToNumber(words[2]) : std::nullopt;
    if (!partition || !offset || *partition < 0 || *partition > INT32_MAX) {
      return Fail(
          Unreadable("line of offsets", line, "write TOPIC,PARTITION,OFFSET"));
    }
    out.push_back({{words[0], static_cast<int32_t>(*partition)}, *offset});
  }
  return out;
}

}  // namespace tidemark::cli
