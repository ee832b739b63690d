#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/metadata/broker_config.h"
#include "common/metadata/image.h"

namespace tidemark {

// The settings of this broker that may be changed while it runs
// (metadata::DynamicBrokerConfigKeys), as an image has them. Both outlive it.
class DynamicSettings {
 public:
  DynamicSettings(const BrokerConfig& config, const metadata::Image& image)
      : config_(config), image_(image) {}

  // REQUIRES: `key` is one of them, of that type.
  int64_t GetInt(std::string_view key) const;
  double GetDouble(std::string_view key) const;

 private:
  std::string Get(std::string_view key) const;

  const BrokerConfig& config_;
  const metadata::Image& image_;
};

}  // namespace tidemark
