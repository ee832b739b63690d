#include "common/io/initial_features.h"

#include <charconv>
#include <filesystem>
#include <fstream>

#include "common/io/meta_properties.h"

namespace tidemark::io {
namespace {

constexpr char kFeaturesFile[] = "initial-features";

}  // namespace

Status SaveInitialFeatures(const std::string& directory,
                           const InitialFeatures& features) {
  std::string text;
  for (const auto& [name, level] : features) {
    text += name + "=" + std::to_string(level) + "\n";
  }
  return WriteFileDurably(directory, kFeaturesFile, text);
}

Result<InitialFeatures> LoadInitialFeatures(const std::string& directory) {
  const auto path = std::filesystem::path(directory) / kFeaturesFile;
  InitialFeatures features;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return features;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const size_t split = line.find('=');
    const char* end = line.data() + line.size();
    int16_t level = 0;
    const auto parsed =
        split == line.npos
            ? std::from_chars_result{line.data(), std::errc::invalid_argument}
            : std::from_chars(line.data() + split + 1, end, level);
    if (parsed.ec != std::errc() || parsed.ptr != end || split == 0 ||
        level < 0) {
      return Fail(ErrorCode::kInvalidConfig,
                  path.string() + " is damaged: '" + line +
                      "' is no feature=level; with what a new cluster begins "
                      "is all that it says");
    }
    features[line.substr(0, split)] = level;
  }
  if (!in.eof()) {
    return Fail(ErrorCode::kKafkaStorageError, "cannot read " + path.string());
  }
  return features;
}

}  // namespace tidemark::io
