#include "broker/kafka/handlers/config_view.h"

#include <algorithm>

#include "broker/metadata/broker_config.h"
#include "common/base/utf8.h"

namespace tidemark::server {

metadata::ResolvedConfig ResolveFor(const Services& services,
                                    const metadata::Image& image,
                                    const std::string& topic,
                                    std::string_view key) {
  return metadata::ResolveTopicConfig(image, topic, key,
                                      services.config->node_id,
                                      services.config->static_values());
}

Status CheckConfigText(std::string_view name, std::string_view value) {
  if (IsUtf8(name) && IsUtf8(value)) return {};
  return Fail(ErrorCode::kInvalidConfig,
              "A setting's name or value is not valid UTF-8.");
}

Duration AdminTimeout(int32_t timeout_ms) {
  constexpr int32_t kLeast = 100;
  constexpr int32_t kMost = 120'000;
  return std::chrono::milliseconds(std::clamp(timeout_ms, kLeast, kMost));
}

}  // namespace tidemark::server
