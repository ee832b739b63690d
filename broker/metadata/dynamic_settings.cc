#include "broker/metadata/dynamic_settings.h"

#include <glog/logging.h>

#include <charconv>

#include "common/metadata/configs.h"

namespace tidemark {
namespace {

// What is in the metadata was checked when it was set.
template <class T>
T Parse(std::string_view key, const std::string& text) {
  T value{};
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  LOG_IF(ERROR, error != std::errc())
      << "setting is no number key=" << key << " value=" << text;
  return value;
}

}  // namespace

std::string DynamicSettings::Get(std::string_view key) const {
  auto found = metadata::ResolveBrokerConfig(image_, key, config_.node_id,
                                             config_.static_values());
  CHECK(found.source != metadata::ConfigSource::kUnknown) << key;
  return std::move(found.value);
}

int64_t DynamicSettings::GetInt(std::string_view key) const {
  return Parse<int64_t>(key, Get(key));
}

double DynamicSettings::GetDouble(std::string_view key) const {
  return Parse<double>(key, Get(key));
}

}  // namespace tidemark
