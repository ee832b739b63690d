#include "broker/log/checkpoint.h"

#include <glog/logging.h>

#include <charconv>

namespace tidemark::log {

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

Result<std::vector<std::string_view>> ParseCheckpointLines(
    std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (lines.size() < 2 || lines[0] != "0") {
    return Fail(ErrorCode::kCorruptMessage, "checkpoint: version is not 0");
  }
  auto count = ParseNumber(lines[1]);
  if (!count || *count < 0 ||
      static_cast<uint64_t>(*count) != lines.size() - 2) {
    return Fail(ErrorCode::kCorruptMessage,
                "checkpoint: the number of lines is wrong");
  }
  lines.erase(lines.begin(), lines.begin() + 2);
  return lines;
}

std::string EncodeOffsets(const OffsetMap& offsets) {
  std::string text = "0\n" + std::to_string(offsets.size()) + "\n";
  for (const auto& [tp, offset] : offsets) {
    text += tp.topic + " " + std::to_string(tp.partition) + " " +
            std::to_string(offset) + "\n";
  }
  return text;
}

Result<OffsetMap> DecodeOffsets(std::string_view text) {
  TM_ASSIGN_OR_RETURN(auto lines, ParseCheckpointLines(text));
  OffsetMap offsets;
  for (std::string_view line : lines) {
    size_t first = line.find(' ');
    size_t second =
        first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
      return Fail(ErrorCode::kCorruptMessage,
                  "checkpoint: bad line: " + std::string(line));
    }
    auto partition = ParseNumber(line.substr(first + 1, second - first - 1));
    auto offset = ParseNumber(line.substr(second + 1));
    if (!partition || !offset || *partition < 0 || *partition > INT32_MAX ||
        *offset < 0 || *offset > kMaxOffset) {
      return Fail(ErrorCode::kCorruptMessage,
                  "checkpoint: bad line: " + std::string(line));
    }
    offsets[{std::string(line.substr(0, first)),
             static_cast<PartitionIndex>(*partition)}] = *offset;
  }
  return offsets;
}

Result<OffsetMap> ReadOffsets(io::FileSystem& fs, const std::string& path) {
  if (!fs.Exists(path)) return OffsetMap();
  TM_ASSIGN_OR_RETURN(std::string text, io::ReadFile(fs, path));
  auto offsets = DecodeOffsets(text);
  if (!offsets) {
    LOG(WARNING) << "checkpoint ignored file=" << path
                 << " error=" << offsets.error().message;
    return OffsetMap();
  }
  return offsets;
}

Status WriteOffsets(io::FileSystem& fs, const std::string& path,
                    const OffsetMap& offsets) {
  return io::WriteFileAtomically(fs, path, EncodeOffsets(offsets));
}

}  // namespace tidemark::log
